package lambdatest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxAsyncPayload is the longest event of an asynchronous invocation, in bytes (Lambda quotas: 1 MB).
const maxAsyncPayload = 1 << 20

// InvokeAPI is the Invoke operation of Lambda's API for these functions, by
// name or ARN: what a client of the SDK talks to with BaseEndpoint. It checks
// no signature. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func InvokeAPI(functions ...*Function) http.Handler {
	byName := map[string]*Function{}
	for _, f := range functions {
		byName[f.cfg.Name] = f
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if _, after, ok := strings.Cut(name, ":function:"); ok {
			name = after
		}
		f := byName[name]
		if f == nil {
			apiError(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+name)
			return
		}
		payload, err := io.ReadAll(io.LimitReader(r.Body, MaxPayload+1))
		if err != nil {
			return // the client is gone
		}
		if len(payload) == 0 {
			payload = []byte("{}")
		}
		switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
		case "", "RequestResponse":
			f.serveInvoke(w, r, payload)
		case "Event":
			if len(payload) > maxAsyncPayload {
				apiError(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", fmt.Sprintf("%d byte payload is too large", len(payload)))
				return
			}
			f.InvokeAsync(payload)
			w.WriteHeader(http.StatusAccepted)
		case "DryRun":
			w.WriteHeader(http.StatusNoContent)
		default:
			apiError(w, http.StatusBadRequest, "InvalidParameterValueException", "Unknown invocation type "+kind)
		}
	})
	return mux
}

func (f *Function) serveInvoke(w http.ResponseWriter, r *http.Request, payload []byte) {
	out, err := f.Invoke(r.Context(), payload)
	var failed *Error
	switch {
	case errors.Is(err, ErrThrottled):
		apiError(w, http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
		return
	case errors.Is(err, errTooLarge):
		apiError(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", errTooLarge.Message)
		return
	case errors.As(err, &failed):
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		out, _ = json.Marshal(failed) // two strings
	case err != nil:
		apiError(w, http.StatusInternalServerError, "ServiceException", err.Error())
		return
	}
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	w.Write(out)
}

func apiError(w http.ResponseWriter, status int, kind, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", kind)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"Type": "User", "Message": text})
}
