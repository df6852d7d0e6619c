package api

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
	"github.com/coracle-k8s/coracle/registry/server"
)

// staticPolicy refuses ConfigMaps with a name that an expression does not like.
const staticPolicy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: names.static.k8s.io}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]}
  validations: [{expression: "object.metadata.name != '%s'", message: that name is taken}]
---
apiVersion: v1
kind: List
items:
- apiVersion: admissionregistration.k8s.io/v1
  kind: ValidatingAdmissionPolicyBinding
  metadata: {name: names.static.k8s.io}
  spec: {policyName: names.static.k8s.io, validationActions: [Deny]}
`

// configured writes files into a folder and names c.yaml among them to a server as its configuration of admission.
func configured(t *testing.T, dir string, files map[string]string) func(*server.Config) {
	t.Helper()
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(c *server.Config) { c.AdmissionConfigFile = filepath.Join(dir, "c.yaml") }
}

func TestPluginsDoWhatAFileTells(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policies := filepath.Join(dir, "policies")
	r := apitest.Start(t, configured(t, dir, map[string]string{
		"c.yaml": fmt.Sprintf(`
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    defaults: {enforce: baseline, enforce-version: latest}
    exemptions: {namespaces: [kube-system]}
- name: ValidatingAdmissionPolicy
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ValidatingAdmissionPolicyConfiguration
    staticManifestsDir: %s
`, policies),
		"policies/names.yaml": fmt.Sprintf(staticPolicy, "taken"),
	}))
	ctx, client := apitest.Context(t), r.Client(t)

	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if _, err := client.CoreV1().ServiceAccounts("default").Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{
		HostNetwork: true, AutomountServiceAccountToken: new(bool), Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	eventually(t, "a Pod on the host's network to be refused", func() bool {
		_, err := client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{})
		return apierrors.IsForbidden(err) && strings.Contains(err.Error(), `violates PodSecurity "baseline:latest"`)
	})
	create := func(name string) error {
		_, err := client.CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{DryRun: []string{"All"}})
		return err
	}
	refused := func(name string) error {
		if err := create(name); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "'names.static.k8s.io' with binding 'names.static.k8s.io' denied request: that name is taken") {
			return fmt.Errorf("error %v", err)
		}
		return nil
	}
	if err := refused("taken"); err != nil {
		t.Errorf("from the first request on, the name %q is to be refused: %v", "taken", err)
	}
	if err := create("free"); err != nil {
		t.Error("another name:", err)
	}
	list, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != 0 {
		t.Errorf("policies in the API: %v, %v; those of files are none", list, err)
	}

	configured(t, dir, map[string]string{"policies/names.yaml": fmt.Sprintf(staticPolicy, "new")})
	eventually(t, "the file's new policy to be in force", func() bool { return refused("new") == nil })
	if err := create("taken"); err != nil {
		t.Error("what the old policy refused:", err)
	}
	configured(t, dir, map[string]string{"policies/names.yaml": strings.ReplaceAll(fmt.Sprintf(staticPolicy, "bad"), ".static.k8s.io", "")})
	eventually(t, "a failure to be counted", func() bool {
		return counted(t, r, "apiserver_manifest_admission_config_controller_automatic_reloads_total", `status="failure"`) == nil
	})
	if err := refused("new"); err != nil {
		t.Errorf("after a file with a mistake the last good one counts: %v", err)
	}
}

// counted says why no line of the server's metrics has all of these words.
func counted(t *testing.T, r *apitest.Running, words ...string) error {
	t.Helper()
	body, err := r.Client(t).RESTClient().Get().AbsPath("/metrics").DoRaw(apitest.Context(t))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(body)) {
		all := !strings.HasPrefix(line, "#")
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return nil
		}
	}
	return fmt.Errorf("no line with %q", words)
}

func TestServerDoesNotStartWithMistakesOfAdmission(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n"
	static := func(plugin, kind, dir string) string {
		return head + fmt.Sprintf("- {name: %s, configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: %s, staticManifestsDir: %s}}", plugin, kind, dir)
	}
	policy := strings.SplitN(fmt.Sprintf(staticPolicy, "x"), "---", 2)[0]
	webhook := "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: w.static.k8s.io}\n" +
		"webhooks: [{name: w.example.com, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {%s}}]\n"
	for name, test := range map[string]struct{ config, manifest, err string }{
		"a wrong level": {head + "- {name: PodSecurity, configuration: {apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration, defaults: {enforce: strict}}}",
			"", `defaults.enforce: Invalid value: "strict"`},
		"a relative folder": {static("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyConfiguration", "policies"), "", "must be an absolute"},
		"another name": {static("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyConfiguration", "DIR"),
			strings.ReplaceAll(policy, ".static.k8s.io", ""), `must have a name ending with ".static.k8s.io"`},
		"an expression with a mistake": {static("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyConfiguration", "DIR"),
			strings.ReplaceAll(policy, "object.metadata.name", "object.)"), "spec.validations[0].expression: Invalid value"},
		"an unknown field": {static("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyConfiguration", "DIR"),
			policy + "  more: true\n", `unknown field "spec.more"`},
		"another kind": {static("MutatingAdmissionPolicy", "MutatingAdmissionPolicyConfiguration", "DIR"), policy, "unsupported resource type"},
		"parameters": {static("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyConfiguration", "DIR"),
			policy + "  paramKind: {apiVersion: v1, kind: ConfigMap}\n", "paramKind is not supported"},
		"a webhook of a Service": {static("ValidatingAdmissionWebhook", "WebhookAdmissionConfiguration", "DIR"),
			fmt.Sprintf(webhook, "service: {name: s, namespace: n}"), "clientConfig.service"},
		"a webhook without TLS": {static("ValidatingAdmissionWebhook", "WebhookAdmissionConfiguration", "DIR"),
			fmt.Sprintf(webhook, `url: "http://127.0.0.1:1/x"`), "https"},
		"a mutating webhook's folder": {static("MutatingAdmissionWebhook", "WebhookAdmissionConfiguration", "DIR"),
			fmt.Sprintf(webhook, `url: "https://127.0.0.1:1/x"`), "unrecognized resource type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			manifests := filepath.Join(dir, "m")
			change := configured(t, dir, map[string]string{
				"c.yaml": strings.ReplaceAll(test.config, "DIR", manifests), "m/m.yaml": test.manifest,
			})
			if err := apitest.Refused(t, change); !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}
