package shape_test

import (
	"encoding/json"
	"testing"

	"parley/functions/cossistant/shape"
	"parley/shared/parley"
)

// The first two are of the protocol; the others were made with Node.js.
func TestC18MetadataHash(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                      "",
		`{"plan":"pro","mrr":99}`: "2ed7db8f",
		`{"b":"<x>&","a":null,"10":true,"9":1.5}`:                     "e0eac54c",
		`{"a":"\u2028\u0001\b\n\"\\/é😀"}`:                             "3b76ffc1",
		`{"z":1e21,"y":1e-7,"x":-0,"w":0.1,"v":12345678901234567890}`: "4cd857df",
		`{"ﬁ":1,"😀":2,"b":3,"4294967295":4,"01":5}`:                   "4ddc2ed1",
	} {
		var m parley.Scalars
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if got := shape.MetadataHash(m); got != want {
			t.Errorf("MetadataHash(%s) = %q, want %q", text, got, want)
		}
	}
}
