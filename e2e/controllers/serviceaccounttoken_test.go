package controllers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// tokenSecret makes a Secret for a token of the account.
func tokenSecret(t *testing.T, ns, name, account string) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Annotations: map[string]string{corev1.ServiceAccountNameKey: account}},
		Type:       corev1.SecretTypeServiceAccountToken,
	}
	create(t, secret)
	return secret
}

// filled waits until the Secret holds a token, and returns a client that has nothing but what the Secret holds.
func filled(t *testing.T, secret *corev1.Secret) kubernetes.Interface {
	t.Helper()
	eventually(t, secret, func() error {
		if len(secret.Data[corev1.ServiceAccountTokenKey]) == 0 {
			return errors.New("there is no token")
		}
		return nil
	})
	config := &rest.Config{Host: adminConfig.Host, BearerToken: string(secret.Data[corev1.ServiceAccountTokenKey]), QPS: -1}
	config.CAData = secret.Data[corev1.ServiceAccountRootCAKey]
	return kubernetes.NewForConfigOrDie(config)
}

func whoAmI(t *testing.T, client kubernetes.Interface) (authenticationv1.UserInfo, error) {
	t.Helper()
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return review.Status.UserInfo, nil
}

// refused waits until the server does not know the client's token any more.
func refused(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	var last error
	if err := poll(t, func(context.Context) bool {
		_, last = whoAmI(t, client)
		return apierrors.IsUnauthorized(last)
	}); err != nil {
		t.Fatalf("the token is still accepted: %v", last)
	}
}

func TestTokenSecretIsFilledAndItsTokenEndsWithIt(t *testing.T) {
	ns := namespace(t)
	account := &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "robot"}, Secrets: []corev1.ObjectReference{{Name: "token"}, {Name: "other"}},
	}
	stranger := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "stranger"}, Secrets: account.Secrets}
	create(t, account)
	create(t, stranger)
	secret := tokenSecret(t, ns, "token", "robot")
	client := filled(t, secret)
	if got := secret.Data[corev1.ServiceAccountRootCAKey]; !bytes.Equal(got, adminConfig.CAData) {
		t.Errorf("ca.crt is %q, want %q", got, adminConfig.CAData)
	}
	if got := string(secret.Data[corev1.ServiceAccountNamespaceKey]); got != ns {
		t.Errorf("namespace is %q, want %s", got, ns)
	}
	if got := secret.Annotations[corev1.ServiceAccountUIDKey]; got != string(account.UID) {
		t.Errorf("the account's UID is %q, want %s", got, account.UID)
	}
	user, err := whoAmI(t, client)
	if err != nil {
		t.Fatal(err)
	}
	if user.Username != "system:serviceaccount:"+ns+":robot" || user.UID != string(account.UID) || !slices.Contains(user.Groups, "system:serviceaccounts:"+ns) {
		t.Errorf("the token is that of %v", user)
	}
	if get(t, secret); secret.Labels["kubernetes.io/legacy-token-last-used"] == "" {
		t.Errorf("the token's use is not written down: %v", secret.Labels)
	}
	if err := admin.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	refused(t, client)
	eventually(t, account, func() error {
		if len(account.Secrets) != 1 || account.Secrets[0].Name != "other" {
			return fmt.Errorf("it mentions %v", account.Secrets)
		}
		return nil
	})
	if get(t, stranger); len(stranger.Secrets) != 2 {
		t.Errorf("an account whose Secret it was not mentions %v", stranger.Secrets)
	}
}

func TestTokenSecretGoesWithItsAccount(t *testing.T) {
	ns := namespace(t)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "robot"}}
	create(t, account)
	secret := tokenSecret(t, ns, "token", "robot")
	client := filled(t, secret)
	if _, err := whoAmI(t, client); err != nil {
		t.Fatal(err)
	}
	if err := admin.Delete(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	gone(t, secret)
	refused(t, client)
	gone(t, tokenSecret(t, ns, "orphan", "robot"))
}

func TestTakenTokenIsReplaced(t *testing.T) {
	ns := namespace(t)
	secret := tokenSecret(t, ns, "token", "default")
	filled(t, secret)
	change(t, secret, update, func(s *corev1.Secret) { delete(s.Data, corev1.ServiceAccountTokenKey) })
	if _, err := whoAmI(t, filled(t, secret)); err != nil {
		t.Errorf("the new token: %v", err)
	}
}
