package containerd

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// record is what containerd 2.3 writes of a running container.
const record = `{"Version":"v1","Pid":42,"CreatedAt":1,"StartedAt":2,"FinishedAt":0,"ExitCode":0,"Reason":"","Message":"",` +
	`"Resources":{"Linux":{"memory_limit_in_bytes":67108864}},"Restore":false}`

func TestIsRunning(t *testing.T) {
	for text, want := range map[string]bool{
		record:                           true,
		`{"Version":"v1","CreatedAt":1}`: false,
		`{"Version":"v1","CreatedAt":1,"StartedAt":2,"FinishedAt":3}`: false,
	} {
		if got, err := isRunning([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", `{"Version":"v2","StartedAt":2}`} {
		if _, err := isRunning([]byte(text)); err == nil {
			t.Errorf("%q is understood", text)
		}
	}
}

func TestWithExit(t *testing.T) {
	for code, reason := range map[uint32]string{0: "Completed", 3: "Error"} {
		content, err := withExit([]byte(record), code, time.Unix(0, 99))
		if err != nil {
			t.Fatal(err)
		}
		var got, want map[string]any
		if err := json.Unmarshal([]byte(record), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &got); err != nil {
			t.Fatal(err)
		}
		want["FinishedAt"], want["ExitCode"], want["Pid"], want["Reason"] = 99.0, float64(code), 0.0, reason
		if !reflect.DeepEqual(got, want) {
			t.Errorf("code %d: got %v, want %v", code, got, want)
		}
	}
}
