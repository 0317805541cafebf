package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPost_OnlyAYesIsSuccess(t *testing.T) {
	t.Parallel()
	var got, kind string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/yes":
			body, _ := io.ReadAll(r.Body)
			got, kind = r.Method+" "+string(body), r.Header.Get("Content-Type")
			w.WriteHeader(http.StatusAccepted)
		case "/elsewhere":
			http.Redirect(w, r, "/yes", http.StatusFound)
		default:
			http.Error(w, "no such hook", http.StatusNotFound)
		}
	}))
	defer server.Close()
	if err := post(t.Context(), server.URL+"/yes", strings.NewReader(`{"id":"a"}`)); err != nil || got != `POST {"id":"a"}` || kind != "application/json" {
		t.Errorf("got %q of %q, %v", got, kind, err)
	}
	for path, want := range map[string]string{"/no": "answered 404 Not Found: no such hook", "/elsewhere": "answered 302 Found"} {
		if err := post(t.Context(), server.URL+path, strings.NewReader("{}")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}
