package awscall

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
)

// failure parses an error of AWS's JSON protocols. Its code is in a header or in
// the body, and may have a namespace before and an address after it.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization
func failure(response *http.Response, body []byte) *Error {
	var said struct {
		Type    string `json:"__type"`
		Code    string `json:"code"`
		Message string `json:"message"` // encoding/json takes "Message" as well
	}
	// An answer that is not JSON, such as a proxy's error page, has no code.
	_ = json.Unmarshal(body, &said)
	code := cmp.Or(response.Header.Get("X-Amzn-ErrorType"), said.Code, said.Type)
	code, _, _ = strings.Cut(code, ":")
	return &Error{Status: response.StatusCode, Code: code[strings.LastIndex(code, "#")+1:], Message: said.Message}
}
