package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/history"
)

// unread is how long somebody who watches may take to read a line.
const unread = 30 * time.Second

// history answers with what the node and its Pods used in the last hour. With watch=true it goes on: a line with the last hour, and one
// in the same form for each time that it is measured, until the client leaves. pod, a UID, leaves out all other Pods.
func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	pod := types.UID(r.FormValue("pod"))
	watch, err := strconv.ParseBool(r.FormValue("watch"))
	if err != nil && r.FormValue("watch") != "" {
		http.Error(w, fmt.Sprintf("invalid watch: %v", err), http.StatusBadRequest)
		return
	}
	if !watch {
		answer(w, s.History.Hour(pod))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	lines, client := json.NewEncoder(w), http.NewResponseController(w)
	// It ends when the client does, or takes too long.
	_ = s.History.Follow(r.Context(), pod, func(h *history.History) error {
		_ = client.SetWriteDeadline(time.Now().Add(unread)) // where there is none it waits as others do
		if err := lines.Encode(h); err != nil {
			return err
		}
		return client.Flush()
	})
}
