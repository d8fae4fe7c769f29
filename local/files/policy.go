package files

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// policy is what the signer of a form allows with it.
type policy struct {
	Expiration time.Time   `json:"expiration"`
	Conditions []condition `json:"conditions"`
}

// condition is one line of a policy: a field's exact value, or the range of
// sizes. S3 knows more forms; Parley uses no other, and what is not understood
// is refused.
type condition struct {
	// field is in lower case; "" where the condition is the range.
	field, value string
	min, max     int64
}

// UnmarshalJSON reads {"field": "value"} or ["content-length-range", min, max].
func (c *condition) UnmarshalJSON(data []byte) error {
	var exact map[string]string
	if json.Unmarshal(data, &exact) == nil && len(exact) == 1 {
		for name, value := range exact {
			c.field, c.value = strings.ToLower(name), value
		}
		return nil
	}
	var name string
	err := json.Unmarshal(data, &[]any{&name, &c.min, &c.max})
	if err != nil || name != "content-length-range" {
		return fmt.Errorf("unknown condition %s", data)
	}
	return nil
}

// sizes is how long a file may be, in bytes.
type sizes struct{ min, max int64 }

// authorize checks the fields of a form, by their names in lower case: signed
// by the server's credentials, not expired, all as the policy says. It returns
// the policy's range of sizes.
func (s *Server) authorize(fields map[string]string) (sizes, error) {
	p, err := s.signedPolicy(fields)
	if err != nil {
		return sizes{}, err
	}
	if !time.Now().Before(p.Expiration) {
		return sizes{}, denied("the policy has expired")
	}
	// The bucket is a condition, but no field: the address names it.
	actual := map[string]string{"bucket": Name}
	for name, value := range fields {
		if exempt := name == "policy" || name == "x-amz-signature" || strings.HasPrefix(name, "x-ignore-"); !exempt {
			actual[name] = value
		}
	}
	var allowed sizes
	covered := map[string]bool{}
	for _, c := range p.Conditions {
		value, ok := actual[c.field]
		switch {
		case c.field == "":
			allowed = sizes{c.min, c.max}
		case !ok || value != c.value:
			return sizes{}, denied("the policy wants another " + c.field)
		}
		covered[c.field] = true
	}
	for name := range actual {
		if !covered[name] {
			return sizes{}, denied("the policy does not name " + name)
		}
	}
	if !covered[""] {
		return sizes{}, denied("the policy does not limit the size")
	}
	return allowed, nil
}

// signatureFields are the fields by which a form is signed.
var signatureFields = []string{"policy", "x-amz-signature", "x-amz-algorithm", "x-amz-credential", "x-amz-date"}

// signedPolicy reads the policy of a form whose signature is right.
func (s *Server) signedPolicy(fields map[string]string) (policy, error) {
	var p policy
	found := 0
	for _, name := range signatureFields {
		if fields[name] != "" {
			found++
		}
	}
	if found == 0 {
		return p, denied("the form is not signed")
	}
	if found < len(signatureFields) {
		return p, refusal{http.StatusBadRequest, "InvalidArgument", "the form's signature is incomplete"}
	}
	account, rest, _ := strings.Cut(fields["x-amz-credential"], "/")
	day, scope, _ := strings.Cut(rest, "/")
	if fields["x-amz-algorithm"] != algorithm || account != s.credentials.AccessKeyID || scope != region+"/s3/aws4_request" ||
		!hmac.Equal([]byte(fields["x-amz-signature"]), []byte(s.signPolicy(day, fields["policy"]))) {
		return p, mismatch
	}
	text, err := base64.StdEncoding.DecodeString(fields["policy"])
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(text, &p)
}
