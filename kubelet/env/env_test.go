package env

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
)

func TestExpand(t *testing.T) {
	vars := map[string]string{"A": "1", "B": "$(A)", "EMPTY": ""}
	lookup := func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	for text, want := range map[string]string{
		"": "", "plain": "plain", "$(A)": "1", "x$(A)y$(A)": "x1y1", "$(B)": "$(A)", "$(NONE)": "$(NONE)", "$$(A)": "$(A)", "$$$(A)": "$1",
		"$": "$", "$A": "$A", "$(A": "$(A", "$(EMPTY)": "", "$(": "$(", "a$$": "a$", "$)(A)": "$)(A)", "$($(A))": "$($(A))",
	} {
		if got := Expand(text, lookup); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("$(A)$$(B)$(")
	f.Fuzz(func(t *testing.T, text string) {
		got := Expand(text, func(string) (string, bool) { return "", false })
		if !strings.Contains(text, "$") && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func source() Source {
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, "none")
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = "ns", "p"
	return Source{
		Pod: pod, PodIPs: []string{"10.0.0.1"},
		ConfigMap: func(name string) (*corev1.ConfigMap, error) {
			if name != "cm" {
				return nil, missing
			}
			return &corev1.ConfigMap{Data: map[string]string{"a": "1", "b=": "bad name"}}, nil
		},
		Secret: func(name string) (*corev1.Secret, error) { return nil, missing },
		Services: []*corev1.Service{
			service("ns", "web-a", "10.96.0.5", corev1.ServicePort{Name: "http", Port: 80}),
			service("ns", "headless", corev1.ClusterIPNone, corev1.ServicePort{Port: 80}),
			service("other", "far", "10.96.0.6", corev1.ServicePort{Port: 80}),
			service("default", "kubernetes", "10.96.0.1", corev1.ServicePort{Name: "https", Port: 443}),
		},
	}
}

func service(namespace, name, ip string, port corev1.ServicePort) *corev1.Service {
	s := &corev1.Service{}
	s.Namespace, s.Name, s.Spec.ClusterIP, s.Spec.Ports = namespace, name, ip, []corev1.ServicePort{port}
	return s
}

func TestMake(t *testing.T) {
	c := &corev1.Container{
		EnvFrom: []corev1.EnvFromSource{
			{Prefix: "P_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cm"}}},
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "none"}, Optional: ptr.To(true)}},
		},
		Env: []corev1.EnvVar{
			{Name: "X", Value: "$(P_a)-$(LATER)-$(WEB_A_SERVICE_HOST)"}, {Name: "LATER", Value: "l"},
			{Name: "KUBERNETES_SERVICE_HOST", Value: "mine"},
			{Name: "IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
			{Name: "OPTIONAL", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "cm"}, Key: "z", Optional: ptr.To(true)}}},
		},
	}
	e, err := Make(source(), c)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, kv := range e.KeyValues() {
		got[kv.Key] = string(kv.Value)
	}
	for name, want := range map[string]string{
		"P_a": "1", "P_b=": "", "X": "1-$(LATER)-10.96.0.5", "IP": "10.0.0.1", "KUBERNETES_SERVICE_HOST": "mine", "KUBERNETES_SERVICE_PORT": "443",
		"WEB_A_SERVICE_PORT_HTTP": "80", "WEB_A_PORT": "tcp://10.96.0.5:80", "WEB_A_PORT_80_TCP_ADDR": "10.96.0.5", "FAR_SERVICE_HOST": "", "HEADLESS_SERVICE_HOST": "",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if _, there := got["OPTIONAL"]; there {
		t.Error("an optional key that is missing has a variable")
	}
	if _, err := e.SubPath(&corev1.VolumeMount{Name: "v", SubPathExpr: "a/$(NONE)"}); err == nil {
		t.Error("a sub path with an unknown variable is accepted")
	}
	if p, err := e.SubPath(&corev1.VolumeMount{SubPathExpr: "a/$(IP)"}); err != nil || p != "a/10.0.0.1" {
		t.Errorf("got %q %v", p, err)
	}
}

func TestMakeFails(t *testing.T) {
	none := corev1.LocalObjectReference{Name: "none"}
	for name, c := range map[string]corev1.Container{
		"config map":     {EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: none}}}},
		"secret key":     {Env: []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: none, Key: "k"}}}}},
		"config map key": {Env: []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "cm"}, Key: "z"}}}}},
	} {
		if _, err := Make(source(), &c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
