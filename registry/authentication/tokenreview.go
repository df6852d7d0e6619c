package authentication

import (
	"context"
	"errors"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
)

// reviewToken says whose token it is. A token that nobody has is an answer, no error.
func (c Config) reviewToken(ctx context.Context, in *authenticationv1.TokenReview, admit func() error) (*authenticationv1.TokenReview, error) {
	if in.Spec.Token == "" {
		return nil, apierrors.NewBadRequest("token is required for TokenReview in authentication")
	}
	if err := admit(); err != nil {
		return nil, err
	}
	audiences := authenticator.Audiences(in.Spec.Audiences)
	if len(audiences) == 0 {
		audiences = c.Audiences
	}
	// a context of its own: who reviews must not be taken for who is reviewed
	bearer := (&http.Request{Header: http.Header{"Authorization": {"Bearer " + in.Spec.Token}}}).WithContext(authenticator.WithAudiences(context.Background(), audiences))
	found, ok, err := c.Authenticator.AuthenticateRequest(bearer)
	in.Status = authenticationv1.TokenReviewStatus{Authenticated: ok}
	if err != nil {
		in.Status.Error = err.Error()
	}
	if found == nil || found.User == nil {
		return in, nil
	}
	if len(audiences) > 0 && len(audiences.Intersect(found.Audiences)) == 0 {
		return nil, apierrors.NewInternalError(errors.New("error validating audiences"))
	}
	in.Status.User, in.Status.Audiences = userInfo(found.User), found.Audiences
	return in, nil
}

func userInfo(u user.Info) authenticationv1.UserInfo {
	info := authenticationv1.UserInfo{Username: u.GetName(), UID: u.GetUID(), Groups: u.GetGroups()}
	for k, v := range u.GetExtra() {
		if info.Extra == nil {
			info.Extra = map[string]authenticationv1.ExtraValue{}
		}
		info.Extra[k] = v
	}
	return info
}
