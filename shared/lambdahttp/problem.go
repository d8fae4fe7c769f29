package lambdahttp

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
)

// problem is an error of the adapter itself, as an RFC 9457 problem document.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func newProblem(status int, code, detail string) problem {
	return problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

var (
	badRequest = newProblem(http.StatusBadRequest, "bad_request", "The request line is malformed.")
	notThrough = newProblem(http.StatusForbidden, "only_through_distribution", "This deployment is reached at one address only, that of its distribution.")
	internal   = newProblem(http.StatusInternalServerError, "internal", "Something went wrong on our side.")
	tooLong    = newProblem(http.StatusInternalServerError, "response_too_large", "The answer is longer than this host can carry; ask for a smaller page.")
	tooLate    = newProblem(http.StatusGatewayTimeout, "timeout", "The answer took longer than this host waits.")
)

func (p problem) body() []byte {
	b, _ := json.Marshal(p) // strings and an int
	return b
}

// headers returns the problem's headers. Of the handler's headers it keeps those
// that let a page of another origin read the answer.
func (p problem) headers(from map[string]string) map[string]string {
	h := maps.Clone(from)
	maps.DeleteFunc(h, func(k, _ string) bool { return !allowsReading(k) })
	if h == nil {
		h = map[string]string{}
	}
	h["Content-Type"] = "application/problem+json"
	h["Cache-Control"] = "no-store"
	return h
}

func (p problem) write(w http.ResponseWriter) {
	h := w.Header()
	maps.DeleteFunc(h, func(k string, _ []string) bool { return !allowsReading(k) })
	for k, v := range p.headers(nil) {
		h.Set(k, v)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(p.body()) // an error means that the client has left
}

func allowsReading(header string) bool {
	return header == "Vary" || strings.HasPrefix(header, "Access-Control-")
}
