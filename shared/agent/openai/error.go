package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	chat "github.com/sashabaranov/go-openai"

	"parley/shared/agent"
)

// openError explains why a stream did not open. Nothing of err is wrapped: its
// text may hold the key or what the visitor wrote, and errors are logged.
func openError(err error, key string) error {
	var api *chat.APIError
	var plain *chat.RequestError
	switch {
	case errors.As(err, &api):
		return refusal(api.HTTPStatusCode, describe(api), key)
	case errors.As(err, &plain):
		return refusal(plain.HTTPStatusCode, "", key)
	}
	return agent.Fail(agent.ErrProvider, without(key, err.Error()))
}

func refusal(status int, reason, key string) error {
	kind := agent.ErrProvider
	if noCapacity(status) {
		kind = agent.ErrThrottled
	}
	text := fmt.Sprintf("status %d", status)
	if reason != "" {
		text += ": " + without(key, reason)
	}
	return agent.Fail(kind, text)
}

// noToolsHint is for errors of servers that refuse a request because of its tools.
const noToolsHint = "(if the model takes no tools, set no_tools of the agent)"

// describe returns the parts of an error that cannot contain the visitor's
// words. The message is among them only where the key or the model's name caused
// the error.
func describe(api *chat.APIError) string {
	words := []string{api.Type}
	if api.Code != nil {
		words = append(words, fmt.Sprint(api.Code))
	}
	if api.Param != nil {
		words = append(words, *api.Param)
	}
	switch api.HTTPStatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		words = append(words, api.Message)
	}
	if strings.Contains(strings.ToLower(api.Message), "tool") {
		words = append(words, noToolsHint)
	}
	return strings.Join(words, " ")
}

func without(key, text string) string {
	if key == "" {
		return text
	}
	return strings.ReplaceAll(text, key, "(key)")
}

// noCapacity reports whether a request may succeed later: too many requests,
// service unavailable, or 529, which is Anthropic's "overloaded".
func noCapacity(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || status == 529
}

// streamError returns the reason why an open stream ended.
func streamError(err error) error {
	var api *chat.APIError
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == io.EOF:
		return io.EOF
	case errors.As(err, &api):
		kind := agent.ErrProvider
		if reason := strings.ToLower(fmt.Sprint(api.Type, " ", api.Code)); strings.Contains(reason, "rate_limit") ||
			strings.Contains(reason, "overloaded") || strings.Contains(reason, "429") {
			kind = agent.ErrThrottled
		}
		return agent.Fail(kind, "in its stream: "+describe(api))
	case errors.Is(err, errLongLine):
		return agent.Fail(agent.ErrProvider, errLongLine.Error())
	case errors.As(err, &syntax), errors.As(err, &mistyped):
		return agent.Fail(agent.ErrProvider, "unreadable event")
	}
	return agent.Fail(agent.ErrCut, "connection lost")
}
