package view

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
)

const (
	// header carries a session's token. No other site can make a browser send it without asking first, which is refused.
	header = "X-Coracle-View"
	// protocol is what the page's WebSockets speak; they cannot have headers, so that the token goes with the protocols, prefixed.
	protocol    = "v1.view.coracle"
	tokenPrefix = "token.view.coracle."
)

// sessions are the browsers that were let in. A session is a cookie and a token, both needed: browsers send a cookie to all
// ports of a host, whoever listens there, and the token only from the page's own origin. What is kept are digests.
type sessions struct {
	cookie string // its name

	mu      sync.Mutex
	invited map[digest]bool
	tokens  map[digest]digest // by cookie
}

type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

func newSessions(cookie string) *sessions {
	return &sessions{cookie: cookie, invited: map[digest]bool{}, tokens: map[digest]digest{}}
}

// invite returns a secret for which enter opens a session, once.
func (s *sessions) invite() string {
	secret := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.invited[digestOf(secret)] = true
	return secret
}

// enter opens a session. It is false if the secret is not one that is still to be used.
func (s *sessions) enter(secret string) (_ *http.Cookie, token string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := digestOf(secret)
	if !s.invited[key] {
		return nil, "", false
	}
	delete(s.invited, key)
	cookie, token := rand.Text()+rand.Text(), rand.Text()+rand.Text()
	s.tokens[digestOf(cookie)] = digestOf(token)
	return &http.Cookie{Name: s.cookie, Value: cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}, token, true
}

// has tells whether a request is within a session.
func (s *sessions) has(r *http.Request) bool {
	cookie, err := r.Cookie(s.cookie)
	if err != nil {
		return false
	}
	given := r.Header.Get(header)
	if given == "" && isWebSocket(r) && r.Header.Get("Origin") != "" {
		given, _ = takeToken(r.Header)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	want, ok := s.tokens[digestOf(cookie.Value)]
	got := digestOf(given)
	return ok && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

func isWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// takeToken finds a token among a WebSocket's protocols; rest are the others.
func takeToken(h http.Header) (token string, rest []string) {
	for _, p := range strings.Split(strings.Join(h.Values("Sec-Websocket-Protocol"), ","), ",") {
		p = strings.TrimSpace(p)
		if t, ok := strings.CutPrefix(p, tokenPrefix); ok {
			token = t
		} else if p != "" {
			rest = append(rest, p)
		}
	}
	return token, rest
}
