package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/registry/notice"
	"github.com/coracle-k8s/coracle/registry/storage"
)

// EtcdPath is beneath which members of system:masters look after the embedded etcd, through the API server's own authentication,
// authorization and audit: GET status, POST defragmentation, GET snapshot. A role with the right to all paths is not enough: a
// snapshot is the cluster.
const EtcdPath = "/coracle/etcd/"

// EtcdStatus is what GET status answers.
type EtcdStatus struct {
	storage.Usage
	Problem  string
	Contents []storage.Content
}

func andEtcd(next request.LongRunningRequestCheck) request.LongRunningRequestCheck {
	return func(r *http.Request, info *request.RequestInfo) bool {
		return strings.HasPrefix(r.URL.Path, EtcdPath) || next(r, info)
	}
}

// serveEtcd serves what is beneath EtcdPath, if etcd is embedded.
func (s *Server) serveEtcd(m *mux.PathRecorderMux) {
	u := s.backend.Upkeep
	if u == nil {
		return
	}
	for path, endpoint := range map[string]struct {
		method string
		serve  func(http.ResponseWriter, *http.Request) error
	}{
		"status": {http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
			s := EtcdStatus{Usage: u.Usage()}
			s.Problem = s.Usage.Problem()
			if r.URL.Query().Has("contents") { // all of them are read for it
				var err error
				if s.Contents, err = u.Contents(r.Context()); err != nil {
					return err
				}
			}
			w.Header().Set("Content-Type", "application/json")
			return json.NewEncoder(w).Encode(s)
		}},
		"defragmentation": {http.MethodPost, func(w http.ResponseWriter, r *http.Request) error { return u.Defragment(r.Context()) }},
		"snapshot":        {http.MethodGet, func(w http.ResponseWriter, _ *http.Request) error { return sendSnapshot(w, u) }},
	} {
		m.HandleFunc(EtcdPath+path, func(w http.ResponseWriter, r *http.Request) {
			who, ok := request.UserFrom(r.Context())
			switch {
			case !ok || !slices.Contains(who.GetGroups(), user.SystemPrivilegedGroup):
				http.Error(w, "only members of "+user.SystemPrivilegedGroup+" look after etcd", http.StatusForbidden)
			case r.Method != endpoint.method:
				http.Error(w, "use "+endpoint.method, http.StatusMethodNotAllowed)
			default:
				if err := endpoint.serve(w, r); err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
				}
			}
		})
	}
}

func sendSnapshot(w http.ResponseWriter, u *storage.Upkeep) error {
	begun := false
	err := u.SnapshotTo(w, func(length int64) {
		begun = true
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	})
	if err != nil && begun {
		panic(http.ErrAbortHandler) // what has been sent is not a snapshot
	}
	return err
}

// lookAfterEtcd makes snapshots, and tells users of what needs their attention.
func (s *Server) lookAfterEtcd(ctx context.Context, besides *guard.Group) {
	u := s.backend.Upkeep
	if u == nil {
		return
	}
	besides.Keep(ctx, "etcd warnings", s.tellOfEtcd)
	if schedule := s.config.Snapshots; schedule != nil {
		besides.Keep(ctx, "etcd snapshots", func(ctx context.Context) { u.KeepSnapshots(ctx, *schedule) })
	}
}

// tellAgain is how often an Event is tried to be written: without space it cannot be.
const tellAgain = 10 * time.Second

func (s *Server) tellOfEtcd(ctx context.Context) {
	var untold *storage.Warning
	var again <-chan time.Time
	for {
		select {
		case w := <-s.backend.Upkeep.Warnings():
			untold = &w
		case <-again:
		case <-ctx.Done():
			return
		}
		about := corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: metav1.NamespaceSystem}
		if err := notice.Warn(ctx, s.client, about, untold.Reason, untold.Message); err != nil {
			if again == nil {
				klog.FromContext(ctx).Error(err, "Telling of etcd; trying again until it is told", "reason", untold.Reason)
			}
			again = time.After(tellAgain)
		} else {
			again = nil
		}
	}
}

// etcdComponent is the condition of ComponentStatus etcd-0: unhealthy also while it works but will not for long.
func (s *Server) etcdComponent(context.Context) error {
	if err := s.backend.Healthy(); err != nil || s.backend.Upkeep == nil {
		return err
	}
	if problem := s.backend.Upkeep.Usage().Problem(); problem != "" {
		return errors.New(problem)
	}
	return nil
}
