package lambdatest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
)

// maxHeader is how long request line and headers may be, in bytes (HTTP API quotas).
const maxHeader = 10240

// APIHandler is an HTTP API whose default route is the function, payload
// format 2.0. It answers when the function has answered whole. An invocation
// that fails is answered 500, and a stream is no answer.
func APIHandler(f *Function) http.Handler { return apiHandler{f} }

type apiHandler struct{ f *Function }

func (h apiHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if headerSize(r) > maxHeader {
		message(w, http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	payload, err := event(r, APIDomain)
	if err != nil {
		h.refuse(w, err)
		return
	}
	out, err := h.f.Invoke(r.Context(), payload)
	if err != nil {
		h.refuse(w, err)
		return
	}
	answer, body, err := parse(out)
	if err != nil {
		message(w, http.StatusInternalServerError)
		return
	}
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range answer.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(answer.StatusCode)
	w.Write(body)
}

// parse reads an answer. JSON without a status code is itself the body.
func parse(out []byte) (events.APIGatewayV2HTTPResponse, []byte, error) {
	var answer events.APIGatewayV2HTTPResponse
	if !json.Valid(out) {
		return answer, nil, errors.New("the answer is not JSON")
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.StatusCode == 0 {
		headers := map[string]string{"Content-Type": "application/json"}
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK, Headers: headers}, out, nil
	}
	if answer.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(answer.Body)
		return answer, body, err
	}
	return answer, []byte(answer.Body), nil
}

func (apiHandler) refuse(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrThrottled):
		message(w, http.StatusServiceUnavailable)
	case errors.Is(err, errTooLarge):
		message(w, http.StatusRequestEntityTooLarge)
	default:
		message(w, http.StatusInternalServerError)
	}
}

func message(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": http.StatusText(status)})
}

func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.URL.RequestURI()) + len(r.Proto) + 4
	for name, values := range r.Header {
		for _, value := range values {
			n += len(name) + len(value) + 4
		}
	}
	return n
}
