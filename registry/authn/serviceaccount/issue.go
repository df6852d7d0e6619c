package serviceaccount

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	tokenjwt "k8s.io/apiserver/pkg/authentication/token/jwt"
	"k8s.io/apiserver/pkg/features"
)

const (
	defaultLife = 60 * 60
	minLife     = 10 * 60
	maxLife     = 1 << 32
	// warnLife is what kubelets ask for on behalf of Pods whose clients may not read their token again: such a token is
	// accepted for extendedLife, its use after warnLife is audited.
	warnLife     = 60*60 + 7
	extendedLife = 365 * 24 * 60 * 60
)

var requestKind = schema.GroupVersionKind{Group: authenticationv1.GroupName, Version: "v1", Kind: "TokenRequest"}

// Prepare fills in what a request for a token of account leaves out, and checks it. It changes the request; call it before
// validating admission. Errors are those of the API.
func (t *Tokens) Prepare(account *corev1.ServiceAccount, request *authenticationv1.TokenRequest) error {
	if err := mustName(account, request); err != nil {
		return err
	}
	request.Name, request.Namespace, request.UID = account.Name, account.Namespace, account.UID
	request.CreationTimestamp = metav1.NewTime(t.now())
	request.Status = authenticationv1.TokenRequestStatus{}
	if len(request.Spec.Audiences) == 0 {
		request.Spec.Audiences = slices.Clone(t.audiences)
	}
	if request.Spec.ExpirationSeconds == nil {
		request.Spec.ExpirationSeconds = new(int64(defaultLife))
	}
	if errs := check(&request.Spec); len(errs) > 0 {
		return apierrors.NewInvalid(requestKind.GroupKind(), "", errs)
	}
	return nil
}

// mustName checks that the request, where it names an account, names this one.
func mustName(account *corev1.ServiceAccount, request *authenticationv1.TokenRequest) error {
	meta := field.NewPath("metadata")
	switch {
	case request.Name != "" && request.Name != account.Name:
		return invalid(account.Name, field.Invalid(meta.Child("name"), request.Name, "must match the service account name if specified"))
	case request.Namespace != "" && request.Namespace != account.Namespace:
		return invalid(account.Name, field.Invalid(meta.Child("namespace"), request.Namespace, "must match the service account namespace if specified"))
	case request.UID != "" && request.UID != account.UID:
		return apierrors.NewConflict(schema.GroupResource{Group: requestKind.Group, Resource: requestKind.Kind}, account.Name,
			fmt.Errorf("the UID in the token request (%s) does not match the UID of the service account (%s)", request.UID, account.UID))
	}
	return nil
}

// Issue answers a prepared request: the result is a copy with its status set.
func (t *Tokens) Issue(ctx context.Context, account *corev1.ServiceAccount, request *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
	now, life := t.now(), *request.Spec.ExpirationSeconds
	k := &private{Namespace: account.Namespace, Account: *refTo(account)}
	if bound := request.Spec.BoundObjectRef; bound != nil {
		if err := t.bind(ctx, account, k, bound); err != nil {
			return nil, err
		}
	}
	answer := request.DeepCopy()
	answer.Status.ExpirationTimestamp = metav1.NewTime(now.Add(time.Duration(life) * time.Second))
	if k.Pod != nil && life == warnLife && t.isForUs(request.Spec.Audiences) {
		k.WarnAfter = after(now, life)
		life = extendedLife
	}
	c := &claims{Kubernetes: k, RegisteredClaims: jwt.RegisteredClaims{
		Issuer: t.issuer, Subject: serviceaccount.MakeUsername(account.Namespace, account.Name), Audience: request.Spec.Audiences,
		IssuedAt: after(now, 0), NotBefore: after(now, 0), ExpiresAt: after(now, life), ID: uuid.NewString(),
	}}
	token, err := t.keys.sign(c)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	answer.Status.Token = token
	audit.AddAuditAnnotation(ctx, serviceaccount.IssuedCredentialIDAuditAnnotationKey, tokenjwt.CredentialIDForJTI(c.ID))
	return answer, nil
}

// bind puts the object that the token is bound to into the claims.
func (t *Tokens) bind(ctx context.Context, account *corev1.ServiceAccount, k *private, bound *authenticationv1.BoundObjectReference) error {
	var uid types.UID
	gvk := schema.FromAPIVersionAndKind(bound.APIVersion, bound.Kind)
	switch gvk.GroupKind() {
	case schema.GroupKind{Kind: "Pod"}:
		pod, err := t.current.Pod(ctx, account.Namespace, bound.Name)
		if err != nil {
			return err
		}
		if pod.Spec.ServiceAccountName != account.Name {
			return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token for serviceaccount %q to pod running with different serviceaccount name.", account.Name))
		}
		if k.Node, err = t.nodeOf(ctx, pod); err != nil {
			return err
		}
		k.Pod, uid = refTo(pod), pod.UID
	case schema.GroupKind{Kind: "Secret"}:
		secret, err := t.current.Secret(ctx, account.Namespace, bound.Name)
		if err != nil {
			return err
		}
		k.Secret, uid = refTo(secret), secret.UID
	case schema.GroupKind{Kind: "Node"}:
		node, err := t.current.Node(ctx, bound.Name)
		if err != nil {
			return err
		}
		k.Node, uid = refTo(node), node.UID
	default:
		if forWebhook(bound) {
			return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token to object of type %s (feature gate %s is disabled)", gvk, features.APIServerWebhookAuthenticationToken))
		}
		return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token to object of type %s", gvk))
	}
	if bound.UID != "" && bound.UID != uid {
		return apierrors.NewConflict(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}, bound.Name,
			fmt.Errorf("the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", bound.UID))
	}
	return nil
}

// nodeOf says where a Pod is; without UID if its Node is not registered.
func (t *Tokens) nodeOf(ctx context.Context, pod *corev1.Pod) (*ref, error) {
	if pod.Spec.NodeName == "" {
		return nil, nil
	}
	node, err := t.known.Node(ctx, pod.Spec.NodeName)
	switch {
	case apierrors.IsNotFound(err):
		return &ref{Name: pod.Spec.NodeName}, nil
	case err != nil:
		return nil, apierrors.NewInternalError(err)
	}
	return refTo(node), nil
}

// ForSecret is the token to be kept in a Secret of type kubernetes.io/service-account-token. It is always the same for the
// same account and Secret if the key is an RSA key.
func (t *Tokens) ForSecret(account *corev1.ServiceAccount, secret *corev1.Secret) (string, error) {
	return t.keys.sign(&claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: legacyIssuer, Subject: serviceaccount.MakeUsername(account.Namespace, account.Name)},
		legacyClaims:     legacyClaims{Namespace: account.Namespace, SecretName: secret.Name, AccountName: account.Name, AccountUID: account.UID},
	})
}

func (t *Tokens) isForUs(audiences []string) bool {
	return !slices.ContainsFunc(audiences, func(a string) bool { return !t.audiences.Has(a) })
}

func after(now time.Time, seconds int64) *jwt.NumericDate {
	return jwt.NewNumericDate(now.Add(time.Duration(seconds) * time.Second))
}

func invalid(name string, err *field.Error) error {
	return apierrors.NewInvalid(requestKind.GroupKind(), name, field.ErrorList{err})
}
