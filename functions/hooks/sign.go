package hooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// SignatureHeader holds the time of a request in seconds since 1970 and its
// signatures: t=1767225600,v1=HEX,v1=HEX. There is one for each secret that the
// endpoint has at the time; one that fits is enough.
const SignatureHeader = "Parley-Signature"

// Sign returns the value of SignatureHeader: of the time, a dot and the body
// byte for byte, HMAC-SHA256 with each secret in hexadecimal.
func Sign(at time.Time, body []byte, secrets ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "t=%d", at.Unix())
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%d.", at.Unix())
		mac.Write(body)
		b.WriteString(",v1=" + hex.EncodeToString(mac.Sum(nil)))
	}
	return b.String()
}
