"""What is refused of lots, vendors' formats, reports and charges."""

from contracts.errors import Conflict, Refused, Unavailable


class RetakeNotYet(Unavailable):
    """No exam voucher can be given for a retake yet ({why}); try again."""

    code = "retake_not_yet"


class ZoneUnknown(Refused):
    """There is no time zone {zone}; zones are named as in the IANA database, America/New_York."""

    code = "zone_unknown"


class VendorUnknown(Refused):
    """There is no format for reports of the vendor {vendor}."""

    code = "vendor_unknown"


class VendorFormatFaulty(Refused):
    """The vendor's format {file} is faulty at `{key}`: {why}."""

    code = "vendor_format_faulty"


class ReportUnreadable(Refused):
    """The redemption report cannot be read: {why}."""

    code = "report_unreadable"


class ExpiryMissing(Refused):
    """A lot has a day or a moment of expiry, one of the two."""

    code = "expiry_missing"


class NoLotOfExam(Refused):
    """There is no lot of {vendor} for the exam {exam_id}."""

    code = "no_lot_of_exam"


class LotUnknown(Refused):
    """There is no lot {lot_id}."""

    code = "lot_unknown"


class LotAlreadyCharged(Conflict):
    """The lot {lot_id} is charged to a budget already."""

    code = "lot_already_charged"


class LotNotCharged(Conflict):
    """The lot {lot_id} is not charged to a budget, or the charge is not approved."""

    code = "lot_not_charged"


class LotPaymentOpen(Conflict):
    """A payment for the lot {lot_id} is proposed, sent or settled: it comes first."""

    code = "lot_payment_open"


class LotPaymentMissing(Conflict):
    """No payment for the lot {lot_id} is {state}."""

    code = "lot_payment_missing"
