package hooks_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"parley/functions/hooks"
)

// vector is a published example of a signature.
type vector struct {
	Name    string
	Time    int64
	Body    string
	Secrets []string
	Header  string
}

// TestSignatureVectors: signatures are those that are published; they were
// computed by another program.
func TestSignatureVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(b, &vectors); err != nil || len(vectors) < 4 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		if got := hooks.Sign(time.Unix(v.Time, 0), []byte(v.Body), v.Secrets...); got != v.Header {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Header)
		}
		for _, secret := range v.Secrets {
			if !verifies(v.Header, []byte(v.Body), secret, time.Unix(v.Time, 0)) {
				t.Errorf("%s: %s does not fit", v.Name, secret)
			}
		}
		if verifies(v.Header, []byte(v.Body+" "), v.Secrets[0], time.Unix(v.Time, 0)) {
			t.Errorf("%s: another body fits", v.Name)
		}
	}
}
