package lambdahttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"parley/shared/lambdahttp"
)

// TestEvents sends each recorded event and compares the request that the
// handler sees with the one that was sent.
func TestEvents(t *testing.T) {
	const (
		url  = "x4k2p9zq7w1m5r8t3v6y.lambda-url.us-east-1.on.aws"
		api  = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
		shop = "chat.shop.example"
		chat = `{"messageId":"m-1","content":"Where is my order?"}`
		png  = "\x89PNG\r\n\x1a\n"
	)
	type request struct {
		streams            bool
		line, host, remote string
		contentType        string
		body               string
		cookies            string
		through            bool // the distribution
	}
	get := request{line: "GET /history", remote: "198.51.100.23:0"}
	on := func(r request, host string, change func(*request)) request {
		r.host, r.streams = host, host == url
		if change != nil {
			change(&r)
		}
		return r
	}
	post := func(path, contentType, body string) func(*request) {
		return func(r *request) { r.line, r.contentType, r.body = "POST "+path, contentType, body }
	}
	tests := map[string]request{
		"url_get":                  on(get, url, nil),
		"url_get_ipv6":             on(get, url, func(r *request) { r.remote = "[2001:db8:0:1::17]:0" }),
		"url_get_query_multivalue": on(get, url, func(r *request) { r.line += "?state=open&state=closed&q=a%26b&empty=" }),
		"url_get_cookies":          on(get, url, func(r *request) { r.cookies = "a=1 b=two" }),
		"url_get_path_encoded":     on(get, url, func(r *request) { r.line = "GET /files/f-1/s-1/100%25%20caf%C3%A9%3F.pdf" }),
		"url_options":              on(get, url, func(r *request) { r.line = "OPTIONS /chat" }),
		"url_delete":               on(get, url, func(r *request) { r.line = "DELETE /history/s-1" }),
		"url_post_json":            on(get, url, post("/chat", "application/json", chat)),
		"url_post_text_beacon":     on(get, url, post("/close", "text/plain;charset=UTF-8", `{"session":"s-1","reason":"Tschüß"}`)),
		"url_post_form_base64":     on(get, url, post("/close", "application/x-www-form-urlencoded", "session=s-1&reason=all%20done")),
		"url_post_no_type_base64":  on(get, url, post("/close", "", `{"session":"s-1"}`)),
		"url_post_binary_base64":   on(get, url, post("/uploads", "image/png", png)),

		"url_get_cloudfront":             on(get, url, func(r *request) { r.host, r.through = shop, true }),
		"url_get_cloudfront_viewer_ipv6": on(get, url, func(r *request) { r.host, r.through, r.remote = shop, true, "[2001:db8:0:1::17]:0" }),
		"url_get_cloudfront_forged":      on(get, url, func(r *request) { r.remote = "203.0.113.77:0" }),
		"url_get_cloudfront_garbled":     on(get, url, func(r *request) { r.host, r.through, r.remote = shop, true, "203.0.113.77:0" }),

		"api_get":                on(get, api, nil),
		"api_get_cookies":        on(get, api, func(r *request) { r.cookies = "a=1 b=two" }),
		"api_get_path_decoded":   on(get, api, func(r *request) { r.line = "GET /files/f-1/s-1/100%25%20caf%C3%A9%3F.pdf" }),
		"api_post_json":          on(get, api, post("/chat", "application/json", chat)),
		"api_post_binary_base64": on(get, api, post("/uploads", "image/png", png)),
		"api_custom_domain_get":  on(get, shop, nil),
	}
	local := request{line: "POST /chat", host: "127.0.0.1:3000", remote: "127.0.0.1:0", contentType: "application/json", body: chat, cookies: "a=1"}
	tests["sam_local_post_json"] = local
	tests["sam_local_post_json_no_domain"] = local

	for event, want := range tests {
		t.Run(event, func(t *testing.T) {
			var got request
			a, err := invoke(t.Context(), t, lambdahttp.Config{Front: front}, event, func(w http.ResponseWriter, r *http.Request) {
				got = request{line: r.Method + " " + r.RequestURI, host: r.Host, remote: r.RemoteAddr, through: lambdahttp.Through(r.Context()),
					contentType: r.Header.Get("Content-Type"), body: readAll(t, r.Body)}
				for _, c := range r.Cookies() {
					got.cookies = strings.TrimSpace(got.cookies + " " + c.String())
				}
				if n := int64(len(got.body)); r.ContentLength != n {
					t.Errorf("ContentLength = %d, want %d", r.ContentLength, n)
				}
				for _, name := range []string{lambdahttp.OriginSecretHeader, lambdahttp.ClientAddressHeader, lambdahttp.ClientHostHeader} {
					if s := r.Header.Get(name); s != "" {
						t.Errorf("the handler sees %s: %s", name, s)
					}
				}
				if h := r.Header.Get("Host"); h != "" {
					t.Errorf("the handler sees a Host header, %q, as it does nowhere else", h)
				}
				w.Header().Set("Content-Type", "text/plain")
				fmt.Fprint(w, r.URL.Path)
			})
			if err != nil {
				t.Fatal(err)
			}
			got.streams = a.streamed
			if got != want {
				t.Errorf("handler saw\n%+v, want\n%+v", got, want)
			}
			if strings.Contains(event, "path") && a.body != "/files/f-1/s-1/100% café?.pdf" {
				t.Errorf("path = %q", a.body)
			}
			if a.status != http.StatusOK || a.header["Content-Type"] != "text/plain" || a.cut != nil {
				t.Errorf("answer = %+v", a)
			}
		})
	}
}

// TestNoEventForgotten fails when a recorded event is in no test.
func TestNoEventForgotten(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != 28 {
		t.Fatalf("%d recorded events, %v; a new one needs a test", len(files), err)
	}
}

func TestEventsRefused(t *testing.T) {
	for _, event := range []string{"empty", "api_v1_get", "url_post_base64_broken"} {
		t.Run(event, func(t *testing.T) {
			a, err := invoke(t.Context(), t, lambdahttp.Config{}, event, func(http.ResponseWriter, *http.Request) {
				t.Error("the handler was called")
			})
			if err == nil {
				t.Fatalf("answer = %+v, want an error", a)
			}
			if notHTTP := errors.Is(err, lambdahttp.ErrNotHTTP); notHTTP != (event != "url_post_base64_broken") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// TestMalformedPath: what a stranger types is no error of the function, whose
// error count raises alarms.
func TestMalformedPath(t *testing.T) {
	a, err := invoke(t.Context(), t, lambdahttp.Config{}, "url_get_path_malformed", func(http.ResponseWriter, *http.Request) {
		t.Error("the handler was called")
	})
	if err != nil || a.status != http.StatusBadRequest || a.code() != "bad_request" {
		t.Errorf("answer = %+v, %v; want a bad_request problem", a, err)
	}
}

// front is the distribution of the recorded events; its secret is the older of two.
var front = lambdahttp.Front{Secrets: []string{"n3w", "s3cret"}}

// TestFrontNeedsTheSecret: without it nothing is believed that a request says of its
// client, and where only the distribution may call it is refused.
func TestFrontNeedsTheSecret(t *testing.T) {
	for _, secrets := range [][]string{nil, {""}, {"another"}, {"s3cre"}, {"s3cret2", ""}} {
		for _, only := range []bool{false, true} {
			called := false
			a, err := invoke(t.Context(), t, lambdahttp.Config{Front: lambdahttp.Front{Secrets: secrets, Only: only}}, "url_get_cloudfront",
				func(w http.ResponseWriter, r *http.Request) {
					called = true
					if r.RemoteAddr != "203.0.113.77:0" || !strings.Contains(r.Host, ".lambda-url.") || lambdahttp.Through(r.Context()) {
						t.Errorf("secrets %q: %s asks %s, through: %v; want what the platform says", secrets, r.RemoteAddr, r.Host, lambdahttp.Through(r.Context()))
					}
					w.WriteHeader(http.StatusTeapot)
				})
			if err != nil {
				t.Fatal(err)
			}
			if refused := a.status == http.StatusForbidden && a.code() == "only_through_distribution"; called == only || refused != only {
				t.Errorf("secrets %q, only: %v: the handler was called: %v; answer = %+v", secrets, only, called, a)
			}
		}
	}
}

// TestOnlyThroughDistribution: every kind of host refuses who comes another way, with an
// empty secret and with none, and takes who has either secret.
func TestOnlyThroughDistribution(t *testing.T) {
	only := front
	only.Only = true
	for event, want := range map[string]int{"url_get_cloudfront": 200, "url_get_cloudfront_garbled": 200, "url_get_cloudfront_forged": 403,
		"url_get": 403, "url_options": 403, "url_post_text_beacon": 403, "api_get": 403, "sam_local_post_json": 403} {
		called := 0
		a, err := invoke(t.Context(), t, lambdahttp.Config{Front: only}, event, func(w http.ResponseWriter, r *http.Request) { called++ })
		if err != nil || a.status != want || (called == 1) != (want == 200) {
			t.Errorf("%s: answer = %+v, %v after %d calls; want %d", event, a, err, called, want)
		}
	}
	one := lambdahttp.Front{Secrets: []string{"s3cret"}, Only: true}
	if a, err := invoke(t.Context(), t, lambdahttp.Config{Front: one}, "url_get_cloudfront", func(http.ResponseWriter, *http.Request) {}); err != nil || a.status != 200 {
		t.Errorf("answer = %+v, %v", a, err)
	}
}
