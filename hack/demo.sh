#!/usr/bin/env bash
# A small web server's life on the cluster, with stock kubectl. Each step says what it shows and checks that it is so.
#
# CORACLE is the binary (bin/coracle), DATA_DIR its data directory.
set -euo pipefail
cd "$(dirname "$0")/.."
CORACLE=${CORACLE:-$PWD/bin/coracle}
DATA_DIR=${DATA_DIR:-/var/lib/coracle}
IMAGES=${IMAGES:-$PWD/bin/images}
export KUBECONFIG=$DATA_DIR/admin.conf
NAMESPACE=default
work=$(mktemp -d)
pids=()

step() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
fail() { echo "demo: $*" >&2; exit 1; }
finish() {
	status=$?
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
	if [ $status != 0 ]; then
		"${kubectl[@]}" get pods,events -n $NAMESPACE -o wide >&2 || true
	fi
	remove >/dev/null 2>&1 || true
	rm -rf "$work"
	exit $status
}

# kubectl from 1.35 on in the PATH, or the one inside coracle.
kubectl=("$CORACLE" kubectl)
minor=$(kubectl version --client -o json 2>/dev/null | sed -n 's/.*"minor": "\([0-9]*\).*/\1/p') || minor=
if [ -n "$minor" ] && [ "$minor" -ge 35 ]; then kubectl=(kubectl); fi
# remove takes away what the demo makes.
remove() { "${kubectl[@]}" -n $NAMESPACE delete service/web deployment/web pod/echo role/demo-reader rolebinding/demo-reader --ignore-not-found --wait="${1:-false}"; }
k() { printf '$ kubectl %s\n' "$*"; "${kubectl[@]}" -n $NAMESPACE "$@"; }
q() { "${kubectl[@]}" -n $NAMESPACE "$@"; } # the same, unannounced
if q get deployment/web >/dev/null 2>&1; then fail "there is a Deployment web already: is it yours, or an earlier demo's? kubectl delete deployment web"; fi
trap finish EXIT

# until_true SECONDS COMMAND... repeats until the command succeeds.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
fetch() { curl -sS --max-time 5 --noproxy '*' "$1"; }

step "Load the images: there is no registry"
run "$CORACLE" image load --data-dir "$DATA_DIR" "$IMAGES"/web-*.tar

step "A Deployment of three"
k create deployment web --image=web:v1 --replicas=3 --port=8080
k rollout status deployment/web --timeout=60s
k get pods -o wide

step "A Service in front: its address reaches all three"
k expose deployment web --port=80 --target-port=8080
ip=$(q get service web -o jsonpath='{.spec.clusterIP}')
reaches() { # reaches NUMBER VERSION: that many different Pods answer, all with that version
	local seen
	seen=$(for _ in $(seq 40); do fetch "http://$ip/" || true; done | sort | uniq -c)
	[ "$(grep -c "version $2" <<<"$seen")" = "$1" ] && [ "$(wc -l <<<"$seen")" = "$1" ] && echo "$seen"
}
until_true 10 reaches 3 v1 || fail "http://$ip/ does not reach three Pods: $(fetch "http://$ip/")"

step "Scale to five"
k scale deployment/web --replicas=5
k rollout status deployment/web --timeout=60s
until_true 10 reaches 5 v1 || fail "five Pods do not answer"

step "Update to v2, and back"
k set image deployment/web web=web:v2
k rollout status deployment/web --timeout=90s
until_true 10 reaches 5 v2 || fail "not every Pod says v2"
k rollout undo deployment/web
k rollout status deployment/web --timeout=90s
until_true 10 reaches 5 v1 || fail "not every Pod says v1 again"

step "Logs, followed"
pod=$(q get pods -l app=web -o jsonpath='{.items[0].metadata.name}')
"${kubectl[@]}" -n $NAMESPACE logs -f "$pod" >"$work/log" & # not q: that would be a shell, and its end not kubectl's
pids+=($!)
fetch "http://$(q get pod "$pod" -o jsonpath='{.status.podIP}'):8080/asked-by-the-demo" >/dev/null
until_true 10 grep -q asked-by-the-demo "$work/log" || fail "the log does not show the request"
grep asked-by-the-demo "$work/log"

step "A command inside, with a terminal"
script -qec "${kubectl[*]} -n $NAMESPACE exec -it $pod -- sh -c 'tty && hostname'" /dev/null | tee "$work/exec"
grep -q "$pod" "$work/exec" || fail "exec did not answer with the Pod's name"
grep -q /dev/pts "$work/exec" || fail "exec -it gave no terminal"
if q exec "$pod" -- sh -c 'exit 7' 2>/dev/null; then fail "exec lost the exit code"; else [ $? = 7 ] || fail "exec lost the exit code"; fi

step "A port forwarded to this machine"
"${kubectl[@]}" -n $NAMESPACE port-forward deployment/web :8080 >"$work/forward" &
pids+=($!)
until_true 10 grep -q Forwarding "$work/forward" || fail "port-forward did not start"
port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\).*/\1/p' "$work/forward" | head -n 1)
fetch "http://127.0.0.1:$port/" | tee "$work/answer"
grep -q 'version v1' "$work/answer" || fail "no answer through port-forward"

step "A file in and out again"
head -c 300000 /dev/urandom >"$work/in"
k cp "$work/in" "$NAMESPACE/$pod:/tmp/file"
k cp "$NAMESPACE/$pod:/tmp/file" "$work/out" >/dev/null
cmp "$work/in" "$work/out" || fail "the file changed on its way"

step "Attached to a running container"
k run echo --image=web:v1 --restart=Never --stdin --attach=false --command -- sh -c 'while read -r line; do echo "heard $line"; done'
k wait --for=condition=Ready pod/echo --timeout=60s
printf 'you\n' | q attach -i echo | tee "$work/attach" || true
grep -q 'heard you' "$work/attach" || fail "attach did not answer"

step "Inside a Pod: cluster DNS, and the API with the Pod's own token"
k create role demo-reader --verb=get,list --resource=pods
k create rolebinding demo-reader --role=demo-reader --serviceaccount=$NAMESPACE:default
k exec "$pod" -- nslookup web.$NAMESPACE.svc.cluster.local | tee "$work/dns"
grep -q "$ip" "$work/dns" || fail "DNS does not know the Service"
k exec "$pod" -- /web api "/api/v1/namespaces/$NAMESPACE/pods?limit=1" >"$work/api"
head -c 300 "$work/api" && echo ...
grep -q '"kind":"PodList"' "$work/api" || fail "the API did not answer the Pod"

step "Delete it"
printf '$ kubectl -n %s delete service/web deployment/web pod/echo ...\n' $NAMESPACE
remove true
no_pods() { [ -z "$(q get pods -l app=web -o name)" ]; }
until_true 60 no_pods || fail "Pods are left"
printf '\nThe demo is complete.\n'
