package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writeAnswers brings the tests' recorded answers up to date: each line whose request was recorded has its answer replaced. Lines
// with other requests stay. A body may be recorded several times, some of them refused for a field nobody knows: those say nothing.
func writeAnswers(r *recording) error {
	recorded := map[string]answer{}
	for _, a := range r.answers {
		if body, ok := a.Body.(object); ok && (a.Method == "POST" || a.Method == "PUT") {
			kind, _ := body["kind"].(string)
			if causesOf(a) != nil || fieldsOf(a) != nil {
				recorded[requestKey(kind, body, a.Method == "PUT")] = a
			}
		}
	}
	files, err := filepath.Glob("*/*/testdata/answers.jsonl")
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := updateAnswers(file, recorded); err != nil {
			return fmt.Errorf("updating %s: %w", file, err)
		}
	}
	return nil
}

// line is one of a test's answers: see apis/recorded.
type line struct {
	Kind   string   `json:"kind"`
	Name   string   `json:"name"`
	Object object   `json:"object"`
	Old    object   `json:"old,omitempty"`
	Causes []string `json:"causes,omitempty"`
	Want   object   `json:"want,omitempty"`
}

func updateAnswers(file string, recorded map[string]answer) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	changed := 0
	for text := range strings.Lines(string(data)) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			return err
		}
		a, ok := recorded[requestKey(l.Kind, l.Object, l.Old != nil)]
		if !ok || !l.update(a) {
			out.WriteString(text)
			continue
		}
		changed++
		out.WriteString(compactJSON(l) + "\n")
	}
	if changed == 0 {
		return nil
	}
	fmt.Printf("%s: %d answers changed\n", file, changed)
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// update takes over what was answered and reports whether that is different. Times are not recorded.
func (l *line) update(a answer) bool {
	causes, want := causesOf(a), fieldsOf(a)
	if strings.Contains(compactJSON(want), `"TIME"`) {
		return false
	}
	if l.Want == nil {
		want = nil
	}
	if slices.Equal(causes, l.Causes) && compactJSON(want) == compactJSON(l.Want) {
		return false
	}
	l.Causes, l.Want = causes, want
	return true
}

func causesOf(a answer) (all []string) {
	list, _ := a.Want["causes"].([]any)
	for _, cause := range list {
		pair, _ := cause.([]any)
		if len(pair) == 2 && !strings.HasPrefix(fmt.Sprint(pair[1]), "metadata") {
			all = append(all, fmt.Sprint(pair[0], " ", pair[1]))
		}
	}
	slices.Sort(all)
	return all
}

// fieldsOf are those of the answered object that the tests compare: what is empty is as good as missing. They are nil if there is no
// object in the answer.
func fieldsOf(a answer) object {
	fields, ok := a.Want["object"].(object)
	if !ok {
		return nil
	}
	kept := object{}
	for key, value := range fields {
		switch key {
		case "apiVersion", "kind", "metadata", "status":
			continue
		}
		if inner, isObject := value.(object); value != nil && (!isObject || len(inner) > 0) {
			kept[key] = value
		}
	}
	return kept
}

// requestKey says what is asked. Updates were recorded in a namespace of their own.
func requestKey(kind string, body object, update bool) string {
	asked := object{}
	for key, value := range body {
		if key != "apiVersion" && key != "kind" {
			asked[key] = value
		}
	}
	if meta, ok := asked["metadata"].(object); ok && update {
		other := object{}
		for key, value := range meta {
			if key != "namespace" {
				other[key] = value
			}
		}
		asked["metadata"] = other
	}
	return fmt.Sprint(kind, update, compactJSON(asked))
}
