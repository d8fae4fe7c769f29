package files

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	// dateLayout is how a signature writes its time.
	dateLayout = "20060102T150405Z"
	// maxSkew is how far the clock of who signed may be off (S3's limit).
	maxSkew = 15 * time.Minute
	// maxLife is how long a link may be good for (S3's limit).
	maxLife = 7 * 24 * time.Hour
	// maxBody is the longest body of a request other than a browser's upload, in
	// bytes. Our choice: above what a function can be sent, 6 MB (AWS Lambda
	// quotas), and so puts here, and above S3's thousand keys of a deletion.
	maxBody = 8 << 20
)

// unescaped makes the signer take paths as S3 does: as they are.
func unescaped(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }

// verified returns the request as far as it is signed with the server's
// credentials, and refuses one that is not.
func (s *Server) verified(r *http.Request) (*http.Request, error) {
	switch {
	case r.URL.Query().Has("X-Amz-Algorithm"):
		return r, s.verifyLink(r)
	case r.Header.Get("Authorization") != "":
		return s.verifyHeader(r)
	}
	return nil, denied("the request is not signed")
}

// verifyLink checks a signature in the query by signing the same address again:
// the outcome must be the very same query.
func (s *Server) verifyLink(r *http.Request) error {
	query := r.URL.Query()
	signed, err := time.Parse(dateLayout, query.Get("X-Amz-Date"))
	life, errLife := strconv.Atoi(query.Get("X-Amz-Expires"))
	if err != nil || errLife != nil || life < 1 || life > int(maxLife/time.Second) || query.Get("X-Amz-Signature") == "" {
		return refusal{http.StatusBadRequest, "AuthorizationQueryParametersError", "the signature in the query is incomplete"}
	}
	again := signable(r, query.Get("X-Amz-SignedHeaders"))
	plain := r.URL.Query()
	plain.Del("X-Amz-Signature")
	again.URL.RawQuery = plain.Encode()
	uri, _, err := s.signer.PresignHTTP(r.Context(), s.credentials, again, "UNSIGNED-PAYLOAD", "s3", region, signed)
	if err != nil {
		return err
	}
	want, err := url.Parse(uri)
	if err != nil {
		return err
	}
	if !hmac.Equal([]byte(query.Encode()), []byte(want.Query().Encode())) {
		return mismatch
	}
	if now := time.Now(); now.Before(signed.Add(-maxSkew)) || !now.Before(signed.Add(time.Duration(life)*time.Second)) {
		return denied("the request has expired")
	}
	return nil
}

// verifyHeader checks a signature in the Authorization header by signing the
// same request again. It returns the request with no header that was not signed.
func (s *Server) verifyHeader(r *http.Request) (*http.Request, error) {
	given := r.Header.Get("Authorization")
	signed, err := time.Parse(dateLayout, r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(signed).Abs() > maxSkew {
		return nil, refusal{http.StatusForbidden, "RequestTimeTooSkewed", "the signature's time is too far off"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, refusal{http.StatusBadRequest, "EntityTooLarge", "the body is too long or incomplete"}
	}
	sum := sha256.Sum256(body)
	_, names, _ := strings.Cut(given, "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	again := signable(r, names)
	if err := s.signer.SignHTTP(r.Context(), s.credentials, again, hex.EncodeToString(sum[:]), "s3", region, signed); err != nil {
		return nil, err
	}
	if !hmac.Equal([]byte(given), []byte(again.Header.Get("Authorization"))) {
		return nil, mismatch
	}
	again.Body = io.NopCloser(bytes.NewReader(body))
	return again, nil
}

// signable is a copy of r with no headers but the ones listed, as the signer wants it.
func signable(r *http.Request, names string) *http.Request {
	again := r.Clone(r.Context())
	again.Header = http.Header{}
	again.ContentLength = 0
	for name := range strings.SplitSeq(names, ";") {
		switch name {
		case "host": // always signed, from again.Host
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	return again
}

// signPolicy returns the signature of an upload policy: of its text by a key
// that is derived from the secret for the day.
func (s *Server) signPolicy(day, policy string) string {
	key := []byte("AWS4" + s.credentials.SecretAccessKey)
	for _, part := range []string{day, region, "s3", "aws4_request", policy} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}
