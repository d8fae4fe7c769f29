package api

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
)

// compressFrom is how long a body has to be for compression to pay, in bytes. Our
// choice: shorter ones take one packet either way.
const compressFrom = 1400

// compressLevel is how hard gzip tries, 1 to 9. Our choice: of these, it takes hardly
// longer than the fastest; the best saves 2 % more for twice the time, and functions
// have a fraction of a core.
const compressLevel = 4

// Compress returns a body as CompressedJSON wants it, nil where that does not
// pay.
func Compress(body []byte) []byte {
	if len(body) < compressFrom {
		return nil
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, compressLevel) // a level that there is
	_, _ = w.Write(body)                           // neither can fail in memory
	_ = w.Close()
	return b.Bytes()
}

// CompressedJSON answers with a JSON body, and forbids caches to store it: compressed as
// Compress made it, where it did and the client takes that, else as it is.
// Compressed answers are no text: hosts that buffer send them in base64.
func CompressedJSON(w http.ResponseWriter, r *http.Request, body, compressed []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Encoding")
	if compressed != nil && takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = compressed
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // an error means that the client has left
}

// takesGzip reports whether the client takes gzip (RFC 9110, section 12.5.3).
func takesGzip(r *http.Request) bool {
	every := false
	for entry := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, parameters, _ := strings.Cut(entry, ";")
		name, value, _ := strings.Cut(strings.TrimSpace(parameters), "=")
		quality, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		takes := !strings.EqualFold(strings.TrimSpace(name), "q") || err != nil || quality > 0
		switch coding = strings.ToLower(strings.TrimSpace(coding)); coding {
		case "gzip", "x-gzip":
			return takes
		case "*":
			every = takes
		}
	}
	return every
}
