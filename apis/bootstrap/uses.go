package bootstrap

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/util/secrets"
)

const (
	// usesAnnotation of a token's Secret is how many nodes may join by it, all if it is missing: other installers make tokens, too.
	usesAnnotation = "coracle.internal/token-uses"
	// usedByAnnotation lists who has, as NODE/UID-OF-THE-REQUEST, with commas between.
	usedByAnnotation = "coracle.internal/token-used-by"

	// MaxUses bounds what a token's Secret has to list.
	MaxUses = 1000

	// usedUpLife is how long a token lives that has been used up: who used it last fetches its certificate by it.
	usedUpLife = 10 * time.Minute
)

// ErrUsedUp is the error of UseToken where as many nodes have joined as may.
var ErrUsedUp = errors.New("the token is used up: make one with coracle token create")

// LimitUses lets so many nodes join by a token; zero is all.
func LimitUses(s *corev1.Secret, uses int) {
	if uses == 0 {
		return
	}
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[usesAnnotation] = strconv.Itoa(uses)
}

// TokenUses is how many nodes may join by a token (zero: all), and which have, as far as that is counted.
func TokenUses(s *corev1.Secret) (uses int, nodes []string, err error) {
	text, limited := s.Annotations[usesAnnotation]
	if !limited {
		return 0, nil, nil
	}
	for _, by := range usedBy(s) {
		node, _, _ := strings.Cut(by, "/")
		nodes = append(nodes, node)
	}
	if uses, err = strconv.Atoi(text); err != nil || uses < 1 {
		return 0, nodes, fmt.Errorf("token %s: %s is %q", s.Name, usesAnnotation, text)
	}
	return uses, nodes, nil
}

// UseToken counts in a token's Secret that a node joins by a request, once however often it is called, and reports whether the
// Secret has changed. The last use shortens the token's life.
func UseToken(s *corev1.Secret, node, request string, now time.Time) (changed bool, err error) {
	uses, nodes, err := TokenUses(s)
	if err != nil || uses == 0 {
		return false, err
	}
	by := usedBy(s)
	if slices.Contains(by, node+"/"+request) {
		return false, nil
	}
	if len(nodes) >= uses {
		return false, ErrUsedUp
	}
	by = append(by, node+"/"+request)
	s.Annotations[usedByAnnotation] = strings.Join(by, ",")
	if left, expired := secrets.GetExpiration(s, now); len(by) == uses && !expired && (left == 0 || left > usedUpLife) {
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		s.Data[api.BootstrapTokenExpirationKey] = []byte(now.Add(usedUpLife).UTC().Format(time.RFC3339))
	}
	return true, nil
}

func usedBy(s *corev1.Secret) []string {
	return strings.FieldsFunc(s.Annotations[usedByAnnotation], func(r rune) bool { return r == ',' })
}
