package localvolumes

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeeperMakesAndDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeeper(*poolIn(t.TempDir()))
		ask := func(method, name string) (int, string) {
			r, w := httptest.NewRequest(method, "/local-volumes/x", nil), httptest.NewRecorder()
			r.SetPathValue("name", name)
			k.ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		if code, _ := ask(http.MethodDelete, name); code != http.StatusInternalServerError {
			t.Errorf("a volume of a disk that is not there is deleted: %d", code)
		}
		path := filepath.Join(k.pool.Dir, name)
		if code, told := ask(http.MethodPut, name); code != http.StatusOK || told != path {
			t.Errorf("made: %d %q", code, told)
		}
		if code, _ := ask(http.MethodPut, "../x"); code != http.StatusBadRequest {
			t.Errorf("a hostile name: %d", code)
		}
		if code, told := ask(http.MethodDelete, name); code != http.StatusOK {
			t.Errorf("deleted: %d %q", code, told)
		}
		inTrash := func() int {
			entries, err := os.ReadDir(filepath.Join(k.pool.Dir, trash))
			if err != nil {
				t.Fatal(err)
			}
			return len(entries)
		}
		time.Sleep(kept - time.Minute)
		if n := inTrash(); n != 1 {
			t.Errorf("before a day has passed, %d are in the trash", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := inTrash(); n != 0 {
			t.Errorf("after a day, %d are in the trash", n)
		}
	})
}
