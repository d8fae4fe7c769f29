package awstest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// maxSkew is how old a signature may be.
const maxSkew = 5 * time.Minute

// Signed is a service of AWS in us-east-1 for requests that keys have signed
// with Signature Version 4, all of the request: others are answered 403, as AWS
// does, and fail the test. The check is written from the specification and
// shares no code with the SDK. S3, which escapes paths otherwise, is none of
// the services. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func Signed(t testing.TB, service string, keys aws.Credentials, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		if err := signed(r, body, service, keys); err != nil {
			t.Errorf("%s %s for %s: %v", r.Method, r.URL.Path, service, err)
			w.Header().Set("X-Amzn-ErrorType", "InvalidSignatureException")
			w.WriteHeader(http.StatusForbidden)
			json.NewEncoder(w).Encode(map[string]string{"message": err.Error()})
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

// signed returns what is wrong with the signature of a request.
func signed(r *http.Request, body []byte, service string, keys aws.Credentials) error {
	const algorithm, region = "AWS4-HMAC-SHA256", "us-east-1"
	authorization, ok := strings.CutPrefix(r.Header.Get("Authorization"), algorithm+" ")
	if !ok {
		return errors.New("not signed")
	}
	part := map[string]string{}
	for _, p := range strings.Split(authorization, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		part[name] = value
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > maxSkew {
		return fmt.Errorf("signed at %q", r.Header.Get("X-Amz-Date"))
	}
	scope := strings.Join([]string{at.Format("20060102"), region, service, "aws4_request"}, "/")
	if want := keys.AccessKeyID + "/" + scope; part["Credential"] != want {
		return fmt.Errorf("credential %q, want %q", part["Credential"], want)
	}
	if got := r.Header.Get("X-Amz-Security-Token"); got != keys.SessionToken {
		return fmt.Errorf("session token %q", got)
	}
	names := strings.Split(part["SignedHeaders"], ";")
	if err := covered(r, names); err != nil {
		return err
	}
	key := []byte("AWS4" + keys.SecretAccessKey)
	for _, piece := range strings.Split(scope, "/") {
		key = mac(key, piece)
	}
	want := hex.EncodeToString(mac(key, strings.Join([]string{algorithm, r.Header.Get("X-Amz-Date"), scope, hash([]byte(canonical(r, body, names)))}, "\n")))
	if !hmac.Equal([]byte(part["Signature"]), []byte(want)) {
		return errors.New("the signature does not match")
	}
	return nil
}

// covered returns an error if a header is not signed that must be.
func covered(r *http.Request, names []string) error {
	if !slices.Contains(names, "host") {
		return errors.New("host is not signed")
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if (strings.HasPrefix(name, "x-amz-") || name == "content-type") && !slices.Contains(names, name) {
			return fmt.Errorf("%s is not signed", name)
		}
	}
	return nil
}

// canonical is the request as it is signed.
func canonical(r *http.Request, body []byte, names []string) string {
	lines := []string{r.Method, escape(r.URL.EscapedPath()), strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20")}
	for _, name := range names {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(len(body))
		}
		lines = append(lines, name+":"+strings.Join(strings.Fields(value), " "))
	}
	return strings.Join(append(lines, "", strings.Join(names, ";"), hash(body)), "\n")
}

// escape is a path with all escaped but letters, digits, "-._~" and "/".
func escape(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
