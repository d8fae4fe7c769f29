package identify

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"parley/shared/parley"
)

// challenge is one in the form of ALTCHA, whose solvers know it.
type challenge struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"`
	MaxNumber int64  `json:"maxnumber"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
}

// algorithm is the only one that is used.
const algorithm = "SHA-256"

// maxSolution is the longest solution that is looked at, in bytes. Our choice: four
// times what ALTCHA sends.
const maxSolution = 2000

func (f function) challenge(_ *http.Request, caller parley.Caller, project *parley.Project) (any, error) {
	c, err := f.Store.NewChallenge(project, caller)
	return challenge{algorithm, c.Hash, c.Max, c.Salt, c.Signature}, err
}

// solution reads what solvers of ALTCHA send: a challenge and its number as JSON, in
// base64. What is none of it is no solution of anything.
func solution(text string) *parley.Solution {
	if text == "" {
		return nil
	}
	var in struct {
		challenge
		Number int64 `json:"number"`
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(text) > maxSolution || json.Unmarshal(b, &in) != nil || in.Algorithm != algorithm {
		return &parley.Solution{}
	}
	return &parley.Solution{Salt: in.Salt, Hash: in.Challenge, Signature: in.Signature, Number: in.Number}
}
