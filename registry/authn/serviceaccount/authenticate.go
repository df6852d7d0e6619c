package serviceaccount

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/token/jwt"
)

var errInvalidated = errors.New("service account token has been invalidated")

// AuthenticateToken implements authenticator.Token. Tokens of other issuers are not ours to judge: false without an error.
func (t *Tokens) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	c, ours, err := t.keys.parse(token, t.accepted)
	if !ours || err != nil {
		return nil, false, err
	}
	audiences, err := t.agree(ctx, c)
	if err != nil {
		return nil, false, err
	}
	info, err := t.holder(ctx, c, token, t.known)
	if err != nil {
		// What is known may be behind: of a Secret that was filled just now, or of an account that was made again.
		info, err = t.holder(ctx, c, token, t.current)
	}
	if err != nil {
		return nil, false, err
	}
	return &authenticator.Response{User: info.UserInfo(), Audiences: audiences}, true, nil
}

// holder is whom the token speaks for, by the objects that it refers to.
func (t *Tokens) holder(ctx context.Context, c *claims, token string, objects Objects) (*serviceaccount.ServiceAccountInfo, error) {
	if c.Issuer == legacyIssuer {
		return t.validateLegacy(ctx, c, token, objects)
	}
	return t.validate(ctx, c, objects)
}

// agree returns the audiences that both the token and the request name. Tokens without any are for the API server.
func (t *Tokens) agree(ctx context.Context, c *claims) (authenticator.Audiences, error) {
	has := authenticator.Audiences(c.Audience)
	if len(has) == 0 {
		audit.AddAuditAnnotation(ctx, "authentication.k8s.io/legacy-token", c.Subject)
		has = t.audiences
	}
	wanted, ok := authenticator.AudiencesFrom(ctx)
	if !ok {
		wanted = t.audiences
	}
	both := has.Intersect(wanted)
	if len(both) == 0 {
		return nil, fmt.Errorf("token audiences %q is invalid for the target audiences %q", has, wanted)
	}
	return both, nil
}

// validate checks that the account and what the token is bound to are still there.
func (t *Tokens) validate(ctx context.Context, c *claims, objects Objects) (*serviceaccount.ServiceAccountInfo, error) {
	now, k := t.now(), c.Kubernetes
	if k == nil || c.ExpiresAt == nil {
		return nil, errors.New("service account token lacks claims")
	}
	if err := c.checkTime(now); err != nil {
		return nil, err
	}
	account, err := objects.ServiceAccount(ctx, k.Namespace, k.Account.Name)
	if err != nil {
		return nil, err
	}
	if err := k.Account.mustBe(account, now); err != nil {
		return nil, err
	}
	info := &serviceaccount.ServiceAccountInfo{
		Namespace: k.Namespace, Name: k.Account.Name, UID: string(k.Account.UID), CredentialID: jwt.CredentialIDForJTI(c.ID),
	}
	if err := t.validateBound(ctx, k, objects, info, now); err != nil {
		return nil, err
	}
	if k.WarnAfter != nil && now.After(k.WarnAfter.Time) {
		late := int64(now.Sub(k.WarnAfter.Time).Seconds())
		audit.AddAuditAnnotation(ctx, "authentication.k8s.io/stale-token",
			fmt.Sprintf("subject: %s, seconds after warning threshold: %d", c.Subject, late))
	}
	return info, nil
}

// validateBound checks the objects that the token is bound to. The Node of a Pod's token is told, not checked.
func (t *Tokens) validateBound(ctx context.Context, k *private, objects Objects, info *serviceaccount.ServiceAccountInfo, now time.Time) error {
	if k.Secret != nil {
		secret, err := objects.Secret(ctx, k.Namespace, k.Secret.Name)
		if err != nil {
			return errInvalidated
		}
		if err := k.Secret.mustBe(secret, now); err != nil {
			return err
		}
	}
	if k.Pod != nil {
		pod, err := objects.Pod(ctx, k.Namespace, k.Pod.Name)
		if err != nil {
			return errInvalidated
		}
		if err := k.Pod.mustBe(pod, now); err != nil {
			return err
		}
		info.PodName, info.PodUID = k.Pod.Name, string(k.Pod.UID)
	}
	if k.Node != nil {
		if k.Pod == nil {
			node, err := objects.Node(ctx, k.Node.Name)
			if err != nil {
				return errInvalidated
			}
			if err := k.Node.mustBe(node, now); err != nil {
				return err
			}
		}
		info.NodeName, info.NodeUID = k.Node.Name, string(k.Node.UID)
	}
	return nil
}

// mustBe checks that obj is still the object that the token was issued for.
func (r *ref) mustBe(obj metav1.Object, now time.Time) error {
	if obj.GetUID() != r.UID {
		return fmt.Errorf("service account token is bound to an object with UID %s, not %s", r.UID, obj.GetUID())
	}
	if deleted := obj.GetDeletionTimestamp(); deleted != nil && deleted.Time.Before(now.Add(-leeway)) {
		return errInvalidated
	}
	return nil
}

// validateLegacy checks a token against the Secret that holds it.
func (t *Tokens) validateLegacy(ctx context.Context, c *claims, token string, objects Objects) (*serviceaccount.ServiceAccountInfo, error) {
	l := c.legacyClaims
	namespace, name, err := serviceaccount.SplitUsername(c.Subject)
	if err != nil || namespace != l.Namespace || name != l.AccountName {
		return nil, errors.New("sub claim is invalid")
	}
	secret, err := objects.Secret(ctx, l.Namespace, l.SecretName)
	if err != nil || secret.DeletionTimestamp != nil {
		return nil, errInvalidated
	}
	if subtle.ConstantTimeCompare(secret.Data[corev1.ServiceAccountTokenKey], []byte(token)) == 0 {
		return nil, errors.New("service account token does not match the server's copy")
	}
	account, err := objects.ServiceAccount(ctx, l.Namespace, l.AccountName)
	if err != nil {
		return nil, err
	}
	if account.DeletionTimestamp != nil || account.UID != l.AccountUID {
		return nil, errInvalidated
	}
	if err := t.noteUse(ctx, account, secret); err != nil {
		return nil, err
	}
	return &serviceaccount.ServiceAccountInfo{Namespace: l.Namespace, Name: l.AccountName, UID: string(l.AccountUID)}, nil
}
