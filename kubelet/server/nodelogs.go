package server

import (
	"net/http"
	"os"
)

// nodeLogs are the files that the machine logs to.
const nodeLogs = "/var/log"

// logs serves the machine's logs: lists of folders, and files. In contrast to upstream, no link leads out of there: who may write logs
// (a Pod with that folder in it) could have any file of the machine read otherwise.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	root, err := os.OpenRoot(nodeLogs)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer root.Close()
	http.StripPrefix("/logs/", http.FileServerFS(root.FS())).ServeHTTP(w, r)
}
