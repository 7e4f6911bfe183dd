"""What a cluster has to be told that neither Podman nor a unit knows."""

# What keeps a pod running, by its unit; no two pods of a StatefulSet ever have the same name.
ONE_AT_A_TIME = ("StatefulSet", {})
KINDS = {
    "nats": ONE_AT_A_TIME,
    "postgres": ONE_AT_A_TIME,
    "prometheus": ONE_AT_A_TIME,
    "alertmanager": ONE_AT_A_TIME,
    # Each has its own port for QUIC, its own name for nginx and its own volume.
    "connection@": ("Deployment", {"strategy": {"type": "Recreate"}}),
    # Their numbers are theirs alone; the first is 1, as on a host.
    "game-instance@": (
        "StatefulSet",
        {"ordinals": {"start": 1}, "podManagementPolicy": "Parallel"},
    ),
    "services": ("Deployment", {}),
    "nginx": ("Deployment", {}),
}

# Ports of containers that others reach: (name, number). Of QUIC see `quic_name`.
PORTS = {
    "nats": [("client", 4222)],
    "postgres": [("sql", 5432)],
    "services": [("proxied", 8080), ("admin", 9090)],
    "nginx": [("http", 8080), ("https", 8443)],
    "connection@": [("proxied", 8081), ("admin", 9090)],
    "game-instance@": [("admin", 9090)],
    "prometheus": [("web", 9091)],
    "alertmanager": [("alerts", 9093)],
}


def quic_name(pod):
    """All gateways are reached at one address, and a Service tells their ports apart by name."""
    return f"quic-{pod.rpartition('-')[2]}"


# Room for what is kept: NATS may keep 8 GB of files, Prometheus 2 GB of measurements.
CLAIMS = {"undercroft-nats": "10Gi", "undercroft-prometheus": "4Gi", "undercroft-postgres": "10Gi"}
CLAIM = "1Gi"

# The host and its units are the cluster's to measure.
LEFT_OUT = {"node-exporter"}
JOBS_LEFT_OUT = {"node"}
# Folders of configuration that no container reads.
FOLDERS_LEFT_OUT = {"tests"}

# Seconds between leaving the Service and the signal: requests are under way to it until all know.
STOP_LATER = {"nginx": 5, "services": 5}

# Pods that players reach from outside, by their units.
PUBLIC = {"nginx", "connection@"}


def service(name, selector, ports, **about):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "undercroft"}},
        "spec": {
            "selector": selector,
            "ports": [
                {"name": name, "port": port, "targetPort": name, "protocol": protocol}
                for name, port, protocol in ports
            ],
            **about,
        },
    }


def services(ports):
    """`ports`: all of each pod, as (name, number, protocol)."""
    def pod(name):
        return {"app.kubernetes.io/instance": name}

    def kind(name):
        return {"app.kubernetes.io/name": name}

    def chosen(of, *names):
        return [port for port in ports[of] if port[0] in names]

    gateways = sorted(name for name in ports if name.startswith("connection-"))
    # The name gives the address of each pod, of those that are not ready, too.
    each = {"clusterIP": "None", "publishNotReadyAddresses": True}
    yield service("nats", pod("nats"), ports["nats"], clusterIP="None")
    yield service("postgres", pod("postgres"), ports["postgres"], clusterIP="None")
    yield service("services", pod("services"), ports["services"])
    for name in gateways:
        yield service(name, pod(name), chosen(name, "proxied"))
    yield service("connection", kind("connection"), chosen(gateways[0], "admin"), **each)
    yield service("game-instance", kind("game-instance"), ports["game-instance"], **each)
    yield service("prometheus", pod("prometheus"), ports["prometheus"], clusterIP="None")
    yield service("alertmanager", pod("alertmanager"), ports["alertmanager"], clusterIP="None")
    # One address for the page, the API, WebSocket and QUIC: the page's host is where players look
    # for gateways. Local, because limits are for addresses of players and not of nodes.
    outside = [port for name in gateways for port in ports[name] if port[0].startswith("quic")]
    yield service(
        "undercroft",
        {"undercroft/public": "true"},
        ports["nginx"] + outside,
        type="LoadBalancer",
        externalTrafficPolicy="Local",
    )


def namespace():
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "undercroft",
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }


def policy(name, selector, **rules):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "undercroft"}},
        "spec": {
            "podSelector": selector,
            "policyTypes": [rule.capitalize() for rule in sorted(rules)],
            **rules,
        },
    }


def policies(networks, closed, outside):
    """As the networks of a host: pods are reached by those that share one with them, and from
    outside at the ports of the common Service; who is in a closed one alone reaches no others."""
    def named(network):
        return f"undercroft/{network}"

    def members(network):
        return {"matchLabels": {named(network): "true"}}

    for network in networks:
        peers = [{"podSelector": members(network)}]
        yield policy(network, members(network), ingress=[{"from": peers}])
    for network in closed:
        others = [
            {"key": named(other), "operator": "DoesNotExist"}
            for other in networks
            if other != network
        ]
        dns = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
        yield policy(
            f"{network}-only",
            {**members(network), "matchExpressions": others},
            egress=[{"to": [{"podSelector": members(network)}]}, {"ports": dns}],
        )
    ports = [{"port": name, "protocol": protocol} for name, _, protocol in outside]
    yield policy("public", members("public"), ingress=[{"ports": ports}])


KUSTOMIZATION = """\
# No cluster can fetch images of localhost: give each a newName in your registry. Then:
#   kubectl apply --filename kube-export/namespace.yaml
#   scripts/export-kube --secrets | kubectl create --namespace undercroft --filename -
#   kubectl apply --kustomize kube-export
"""


def kustomization(files, images):
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "undercroft",
        "resources": files,
        "images": [
            {"name": name, "newName": name, "newTag": tag}
            for name, _, tag in (image.rpartition(":") for image in images)
        ],
    }


SECRETS = """\
# The names of the secrets; `scripts/export-kube --secrets` prints it with fresh values.
"""


def secret(name, keys):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "undercroft"}},
        "type": "kubernetes.io/tls" if "tls.key" in keys else "Opaque",
        "stringData": {key: "" for key in keys},
    }
