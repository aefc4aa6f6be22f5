-- A vendor's word that an exam is withdrawn outlives the lots that were there: it binds those that come later too.
CREATE TABLE exam_retirement (
    vendor text NOT NULL,
    exam_id text NOT NULL,
    retires_on date NOT NULL,
    PRIMARY KEY (vendor, exam_id)
);
INSERT INTO exam_retirement (vendor, exam_id, retires_on)
SELECT vendor, exam_id, max(retires_on) FROM exam_voucher_lot WHERE retires_on IS NOT NULL GROUP BY vendor, exam_id;
REVOKE DELETE, TRUNCATE ON exam_retirement FROM cairn_payments;
