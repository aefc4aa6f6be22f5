"""The fields of Kubernetes and Compose documents that the manifests use, as strict models: anything else is refused.

Sources: the Kubernetes API reference (apps/v1, batch/v1, core/v1, networking.k8s.io/v1) and the Compose Specification.
A field that a manifest begins to use is added here with the type that the reference gives it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(m|Ki|Mi|Gi)?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Duration = Annotated[str, Field(pattern=r"^([0-9]+(ms|s|m|h))+$")]


class Shape(BaseModel):
    """Nothing beside these fields, and no value that only looks like its type (`"2"` for 2)."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Shape):
    name: Name
    namespace: Name | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class TemplateMetadata(Shape):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Selector(Shape):
    matchLabels: dict[str, str] = {}


class Named(Shape):
    name: Name


class ConfigMapSource(Shape):
    configMapRef: Named


class Capabilities(Shape):
    drop: list[str]


class ContainerSecurity(Shape):
    allowPrivilegeEscalation: bool
    readOnlyRootFilesystem: bool
    capabilities: Capabilities


class Amounts(Shape):
    cpu: Quantity | None = None
    memory: Quantity | None = None


class Resources(Shape):
    requests: Amounts
    limits: Amounts


class ContainerPort(Shape):
    name: Name
    containerPort: Port


class HttpGet(Shape):
    path: Annotated[str, Field(pattern=r"^/")]
    port: Name | Port


class Probe(Shape):
    httpGet: HttpGet
    periodSeconds: Annotated[int, Field(ge=1)] = 10
    failureThreshold: Annotated[int, Field(ge=1)] = 3


class VolumeMount(Shape):
    name: Name
    mountPath: Annotated[str, Field(pattern=r"^/")]
    readOnly: bool = False


class Container(Shape):
    name: Name
    image: str
    args: list[str]
    envFrom: list[ConfigMapSource]
    securityContext: ContainerSecurity
    resources: Resources
    ports: list[ContainerPort] = []
    livenessProbe: Probe | None = None
    readinessProbe: Probe | None = None
    volumeMounts: list[VolumeMount]


class SecretVolume(Shape):
    secretName: Name
    defaultMode: Annotated[int, Field(ge=0, le=0o777)]


class Nothing(Shape):
    """An object without fields: `{}`."""


class Claim(Shape):
    claimName: Name


class Volume(Shape):
    name: Name
    secret: SecretVolume | None = None
    emptyDir: Nothing | None = None
    persistentVolumeClaim: Claim | None = None


class Seccomp(Shape):
    type: Literal["RuntimeDefault", "Unconfined", "Localhost"]


class PodSecurity(Shape):
    runAsNonRoot: bool
    runAsUser: int
    runAsGroup: int
    fsGroup: int
    seccompProfile: Seccomp


class Pod(Shape):
    serviceAccountName: Name
    automountServiceAccountToken: bool
    terminationGracePeriodSeconds: Annotated[int, Field(ge=0)]
    securityContext: PodSecurity
    restartPolicy: Literal["Always", "OnFailure", "Never"] = "Always"
    initContainers: list[Container] = []
    containers: list[Container]
    volumes: list[Volume]


class Template(Shape):
    metadata: TemplateMetadata = TemplateMetadata()
    spec: Pod


class DeploymentSpec(Shape):
    replicas: Annotated[int, Field(ge=0)]
    selector: Selector
    template: Template


class Deployment(Shape):
    apiVersion: Literal["apps/v1"]
    kind: Literal["Deployment"]
    metadata: Metadata
    spec: DeploymentSpec


class JobSpec(Shape):
    backoffLimit: Annotated[int, Field(ge=0)]
    ttlSecondsAfterFinished: Annotated[int, Field(ge=0)]
    template: Template


class Job(Shape):
    apiVersion: Literal["batch/v1"]
    kind: Literal["Job"]
    metadata: Metadata
    spec: JobSpec


class Namespace(Shape):
    apiVersion: Literal["v1"]
    kind: Literal["Namespace"]
    metadata: Metadata


class ServiceAccount(Shape):
    apiVersion: Literal["v1"]
    kind: Literal["ServiceAccount"]
    metadata: Metadata
    automountServiceAccountToken: bool


class ConfigMap(Shape):
    apiVersion: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: Metadata
    data: dict[str, str]


class ServicePort(Shape):
    name: Name
    port: Port
    targetPort: Name | Port


class ServiceSpec(Shape):
    selector: dict[str, str]
    ports: list[ServicePort]


class Service(Shape):
    apiVersion: Literal["v1"]
    kind: Literal["Service"]
    metadata: Metadata
    spec: ServiceSpec


class Storage(Shape):
    storage: Quantity


class StorageRequest(Shape):
    requests: Storage


class ClaimSpec(Shape):
    accessModes: list[Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]]
    resources: StorageRequest


class PersistentVolumeClaim(Shape):
    apiVersion: Literal["v1"]
    kind: Literal["PersistentVolumeClaim"]
    metadata: Metadata
    spec: ClaimSpec


class PolicyPort(Shape):
    port: Port


class Ingress(Shape):
    ports: list[PolicyPort]


class PolicySpec(Shape):
    podSelector: Selector
    policyTypes: list[Literal["Ingress", "Egress"]]
    ingress: list[Ingress]


class NetworkPolicy(Shape):
    apiVersion: Literal["networking.k8s.io/v1"]
    kind: Literal["NetworkPolicy"]
    metadata: Metadata
    spec: PolicySpec


class Image(Shape):
    name: str
    newTag: str


class Kustomization(Shape):
    apiVersion: Literal["kustomize.config.k8s.io/v1beta1"]
    kind: Literal["Kustomization"]
    namespace: Name
    resources: list[str]
    images: list[Image]


KUBERNETES: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        Deployment
        | Job
        | Namespace
        | ServiceAccount
        | ConfigMap
        | Service
        | PersistentVolumeClaim
        | NetworkPolicy
        | Kustomization,
        Field(discriminator="kind"),
    ]
)


class Build(Shape):
    context: str
    dockerfile: str


class Healthcheck(Shape):
    test: list[str] | None = None
    interval: Duration | None = None
    timeout: Duration | None = None
    retries: Annotated[int, Field(ge=1)] | None = None
    disable: bool = False


class Dependency(Shape):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class ComposeService(Shape):
    image: str
    build: Build | None = None
    read_only: bool = False
    tmpfs: list[str] = []
    user: str | None = None
    cap_drop: list[str] = []
    security_opt: list[str] = []
    restart: Annotated[str, Field(pattern=r"^(no|always|unless-stopped|on-failure(:[0-9]+)?)$")] = "no"
    stop_grace_period: Duration | None = None
    environment: dict[str, str] = {}
    volumes: list[Annotated[str, Field(pattern=r"^[^:]+(:-[^:]+)?:/[^:]+(:ro)?$")]] = []
    ports: list[str] = []
    command: list[str] | None = None
    healthcheck: Healthcheck | None = None
    depends_on: dict[str, Dependency] = {}


class Compose(Shape):
    name: Name
    services: dict[Name, ComposeService]
    volumes: dict[Name, Nothing]
