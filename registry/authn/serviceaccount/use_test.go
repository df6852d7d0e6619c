package serviceaccount

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestUseOfASecretsTokenIsWrittenDownOnceADay(t *testing.T) {
	now := time.Date(2030, 1, 31, 23, 30, 0, 0, time.FixedZone("east", 2*60*60))
	for name, test := range map[string]struct {
		labels map[string]string
		writes bool
		want   string
		ok     bool
	}{
		"the first time":         {nil, true, "2030-01-31", true},
		"again today":            {map[string]string{lastUsed: "2030-01-31"}, false, "2030-01-31", true},
		"by a clock ahead":       {map[string]string{lastUsed: "2030-02-01"}, false, "2030-02-01", true},
		"the first time today":   {map[string]string{lastUsed: "2030-01-30"}, true, "2030-01-31", true},
		"though it is not valid": {map[string]string{invalidSince: "2030-01-01"}, true, "2030-01-31", false},
	} {
		t.Run(name, func(t *testing.T) {
			secret := &corev1.Secret{ObjectMeta: named("ns", "legacy", "uid"), Data: map[string][]byte{}}
			secret.Labels = test.labels
			client := fake.NewClientset(account(), secret)
			tk, err := New(Config{
				Issuer: issuer, Signer: ecKey(t), Known: Live(client), Current: Live(client),
				Secrets: client.CoreV1(), Now: func() time.Time { return now },
			})
			if err != nil {
				t.Fatal(err)
			}
			token, err := tk.ForSecret(account(), secret)
			if err != nil {
				t.Fatal(err)
			}
			secret.Data[corev1.ServiceAccountTokenKey] = []byte(token)
			if _, err := client.CoreV1().Secrets("ns").Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			client.ClearActions()
			if _, ok, err := tk.AuthenticateToken(context.Background(), token); ok != test.ok {
				t.Errorf("accepted: %v (%v), want %v", ok, err, test.ok)
			}
			writes := false
			for _, action := range client.Actions() {
				writes = writes || action.GetVerb() == "patch"
			}
			got, err := client.CoreV1().Secrets("ns").Get(t.Context(), "legacy", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Labels[lastUsed] != test.want || writes != test.writes {
				t.Errorf("used on %q, written: %v; want %q, %v", got.Labels[lastUsed], writes, test.want, test.writes)
			}
		})
	}
}
