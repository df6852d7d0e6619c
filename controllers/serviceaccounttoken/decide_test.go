package serviceaccounttoken

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

func TestFill(t *testing.T) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "robot", UID: "1"}}
	issue := func(account *corev1.ServiceAccount, secret *corev1.Secret) (string, error) {
		return "token of " + account.Name + " in " + secret.Name, nil
	}
	secret := func(data map[string]string) *corev1.Secret {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}, Data: map[string][]byte{}}
		for k, v := range data {
			s.Data[k] = []byte(v)
		}
		return s
	}
	complete := map[string]string{"token": "mine", "ca.crt": "CA", "namespace": "ns"}
	if got, err := fill(secret(complete), account, issue, []byte("CA")); got != nil || err != nil {
		t.Errorf("a complete secret is changed: %v, %v", got, err)
	}
	for name, test := range map[string]struct{ has, want map[string]string }{
		"empty":             {nil, map[string]string{"token": "token of robot in s", "ca.crt": "CA", "namespace": "ns"}},
		"another CA":        {map[string]string{"token": "mine", "ca.crt": "old", "namespace": "ns"}, complete},
		"chosen namespace":  {map[string]string{"token": "mine", "namespace": "chosen"}, map[string]string{"token": "mine", "ca.crt": "CA", "namespace": "chosen"}},
		"what is not asked": {map[string]string{"more": "data"}, map[string]string{"token": "token of robot in s", "ca.crt": "CA", "namespace": "ns", "more": "data"}},
	} {
		t.Run(name, func(t *testing.T) {
			original := secret(test.has)
			untouched := original.DeepCopy()
			got, err := fill(original, account, issue, []byte("CA"))
			if !apiequality.Semantic.DeepEqual(original, untouched) {
				t.Errorf("the shared object is changed: %v", original)
			}
			if err != nil || got == nil || len(got.Data) != len(test.want) {
				t.Fatalf("got %v, %v; want %v", got, err, test.want)
			}
			for k, want := range test.want {
				if string(got.Data[k]) != want {
					t.Errorf("%s is %q, want %q", k, got.Data[k], want)
				}
			}
			if got.Annotations[corev1.ServiceAccountNameKey] != "robot" || got.Annotations[corev1.ServiceAccountUIDKey] != "1" {
				t.Errorf("annotations %v", got.Annotations)
			}
		})
	}
}

func TestWithoutTakesOnlyThatSecretOff(t *testing.T) {
	account := &corev1.ServiceAccount{Secrets: []corev1.ObjectReference{{Name: "a"}, {Name: "b"}}}
	if got := without(account, "c"); got != nil {
		t.Errorf("without one that is not mentioned: %v", got)
	}
	if got := without(account, "a"); len(got.Secrets) != 1 || got.Secrets[0].Name != "b" || len(account.Secrets) != 2 {
		t.Errorf("got %v, the original has %v", got.Secrets, account.Secrets)
	}
}

func TestSecretOfAnEarlierAccountIsNotALaterOnes(t *testing.T) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot", UID: "2"}}
	for uid, want := range map[string]bool{"": true, "1": false, "2": true} {
		secret := &corev1.Secret{}
		if uid != "" {
			secret.Annotations = map[string]string{corev1.ServiceAccountUIDKey: uid}
		}
		if got := isMeant(secret, account); got != want {
			t.Errorf("secret for UID %q is the account's: %v, want %v", uid, got, want)
		}
	}
}

func TestMentionIsToldFromASecret(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "s", Annotations: map[string]string{corev1.ServiceAccountNameKey: "robot"},
	}}
	account, name, ok := mention(mentionIn(secret))
	if want := (types.NamespacedName{Namespace: "ns", Name: "robot"}); !ok || account != want || name != "s" {
		t.Errorf("got account %s, secret %s, %v", account, name, ok)
	}
	if _, _, ok := mention(types.NamespacedName{Namespace: "ns", Name: "s"}); ok {
		t.Error("a Secret is taken for a mention")
	}
	if _, _, ok := mention(mentionIn(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}})); ok {
		t.Error("a Secret without an account is mentioned by one")
	}
}

func TestOnlyAccountsThatGoWake(t *testing.T) {
	one := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot", UID: "1"}}
	labelled, other := one.DeepCopy(), one.DeepCopy()
	labelled.Labels, other.UID = map[string]string{"a": "b"}, "2"
	wakes := gone()
	for name, test := range map[string]struct{ got, want bool }{
		"created":  {wakes.Create(event.CreateEvent{Object: one}), false},
		"changed":  {wakes.Update(event.UpdateEvent{ObjectOld: one, ObjectNew: labelled}), false},
		"replaced": {wakes.Update(event.UpdateEvent{ObjectOld: one, ObjectNew: other}), true},
		"deleted":  {wakes.Delete(event.DeleteEvent{Object: one}), true},
	} {
		if test.got != test.want {
			t.Errorf("an account that was %s wakes: %v, want %v", name, test.got, test.want)
		}
	}
}
