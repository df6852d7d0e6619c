package view

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(h http.Handler, method, path, encoding string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPageHasNothingInline(t *testing.T) {
	for _, mode := range []string{modeLocal, modeServer} {
		w := get(page(mode), http.MethodGet, "/ui/", "")
		markup := w.Body.String()
		if !strings.Contains(markup, `data-mode="`+mode+`"`) {
			t.Errorf("the page does not know that it is %s:\n%s", mode, markup)
		}
		for what, inline := range map[string]string{"a script": `<script(?:\s+type="module")?>`, "a style": `<style|\sstyle=`, "a handler": `\son\w+=`, "another site's": `(?:src|href)="(?:https?:)?//`} {
			if found := regexp.MustCompile(inline).FindString(markup); found != "" {
				t.Errorf("the page has %s in its markup: %s", what, found)
			}
		}
		csp := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("the policy lacks %s: %s", want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("the policy allows too much: %s", csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s is %q", name, got)
			}
		}
	}
}

func TestPageWeighsLittle(t *testing.T) {
	all, err := files()
	if err != nil {
		t.Fatal(err)
	}
	markup := get(Page(), http.MethodGet, "/ui/", "").Body.String()
	together, first := 0, 0
	for name, f := range all {
		together += len(f.gzipped)
		if name == "index.html" || strings.Contains(markup, "/ui/"+name) {
			first += len(f.gzipped)
		}
	}
	if together > 500_000 || first > 80_000 {
		t.Errorf("the page weighs %d bytes, %d of which come first", together, first)
	}
	t.Logf("%d bytes, %d of which come first", together, first)
}

func TestPageCarriesTheLicencesOfItsParts(t *testing.T) {
	text := get(Page(), http.MethodGet, "/ui/licences.txt", "").Body.String()
	for _, part := range []string{"preact ", "@preact/signals ", "@codemirror/view ", "@codemirror/merge ", "@lezer/yaml ", "@xterm/xterm ", "Permission is hereby granted"} {
		if !strings.Contains(text, part) {
			t.Errorf("it lacks %q", part)
		}
	}
}

func TestPageAnswers(t *testing.T) {
	markup := get(Page(), http.MethodGet, "/ui/", "").Body.String()
	app := regexp.MustCompile(`/ui/app-\w+\.js`).FindString(markup)
	for _, c := range []struct {
		method, path, encoding string
		code                   int
		header, value          string
	}{
		{"GET", "/ui", "", http.StatusMovedPermanently, "Location", "/ui/"},
		{"GET", "/ui/", "gzip, br", 200, "Content-Encoding", "gzip"},
		{"GET", "/ui/", "", 200, "Content-Encoding", ""},
		{"GET", "/ui/", "", 200, "Cache-Control", "no-cache"},
		{"HEAD", "/ui/", "", 200, "Content-Type", "text/html; charset=utf-8"},
		{"GET", app, "gzip", 200, "Cache-Control", "public, max-age=31536000, immutable"},
		{"GET", app, "gzip", 200, "Content-Type", "text/javascript; charset=utf-8"},
		{"POST", "/ui/", "", http.StatusMethodNotAllowed, "Allow", "GET, HEAD"},
		{"GET", "/ui/index.html", "", 404, "", ""},
		{"GET", "/ui/../go.mod", "", 404, "", ""},
		{"GET", "/ui/dist/app.js", "", 404, "", ""},
	} {
		w := get(Page(), c.method, c.path, c.encoding)
		if w.Code != c.code || c.header != "" && w.Header().Get(c.header) != c.value {
			t.Errorf("%s %s: %d, %s %q", c.method, c.path, w.Code, c.header, w.Header().Get(c.header))
		}
	}
}
