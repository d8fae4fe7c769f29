// Package openai answers with a model behind OpenAI's chat completions, at
// OpenAI or at any other server with the same API, as most model servers have.
package openai

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"

	chat "github.com/sashabaranov/go-openai"

	"parley/shared/agent"
)

// DefaultBaseURL is OpenAI's own.
const DefaultBaseURL = "https://api.openai.com/v1"

// Config says which model to ask, and how long to wait for it.
type Config struct {
	// BaseURL ends before /chat/completions; "" is DefaultBaseURL.
	BaseURL string
	// Key is the bearer token; with "" none is sent, as local servers expect.
	Key string
	// Model is used where a persona names none. Required.
	Model string
	// HTTPClient sends the requests; nil means a client of our own. It must have
	// no Timeout, which would cut off long replies.
	HTTPClient *http.Client
	// Relay has the deadlines, and what answers are grounded in; its Open is set here.
	Relay agent.Relay
	// Attempts is how often a request is sent at most before its stream opens; 0
	// means agent.DefaultAttempts. It is repeated only after a refusal for lack of
	// capacity (429), a server error (5xx), or where no connection could be made.
	Attempts int
}

// Agent asks a model. It is safe for concurrent use.
type Agent struct {
	agent.Relay
	client *chat.Client
	model  string
	key    string
	capped bool // the server is OpenAI's: it wants max_completion_tokens
}

// New checks the config and returns an agent. It connects to nothing.
func New(config Config) (*Agent, error) {
	if config.Model == "" {
		return nil, errors.New("openai: no model")
	}
	config.BaseURL = cmp.Or(config.BaseURL, DefaultBaseURL)
	base, err := url.Parse(config.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("openai: the base URL is not an absolute http or https URL")
	}
	settings := chat.DefaultConfig(config.Key)
	settings.BaseURL = config.BaseURL
	settings.HTTPClient = &retryClient{cmp.Or(config.HTTPClient, &http.Client{}), cmp.Or(config.Attempts, agent.DefaultAttempts)}
	a := &Agent{
		Relay:  config.Relay,
		client: chat.NewClientWithConfig(settings),
		model:  config.Model,
		key:    config.Key,
		capped: base.Hostname() == "api.openai.com",
	}
	a.Open = a.open
	return a, nil
}

func (a *Agent) open(ctx context.Context, p agent.Prompt) (agent.Stream, error) {
	from, err := a.client.CreateChatCompletionStream(ctx, a.request(p))
	if err != nil {
		return nil, openError(err, a.key)
	}
	return &stream{from: from}, nil
}

func (a *Agent) request(p agent.Prompt) chat.ChatCompletionRequest {
	request := chat.ChatCompletionRequest{
		Model: cmp.Or(p.Model, a.model),
		//lint:ignore SA1019 deprecated by OpenAI alone: most other servers know nothing else
		MaxTokens:     p.MaxTokens,
		StreamOptions: &chat.StreamOptions{IncludeUsage: true},
		Messages:      []chat.ChatCompletionMessage{{Role: chat.ChatMessageRoleSystem, Content: p.System}},
	}
	for _, m := range p.Messages {
		role := chat.ChatMessageRoleUser
		if m.Role == agent.AI {
			role = chat.ChatMessageRoleAssistant
		}
		request.Messages = append(request.Messages, chat.ChatCompletionMessage{Role: role, Content: m.Text})
	}
	addTools(&request, p)
	// OpenAI deprecated max_tokens and its reasoning models refuse it; most
	// other servers know nothing else.
	refused := errors.Is(chat.NewReasoningValidator().Validate(request), chat.ErrReasoningModelMaxTokensDeprecated)
	if a.capped || refused {
		//lint:ignore SA1019 as above
		request.MaxTokens, request.MaxCompletionTokens = 0, p.MaxTokens
	}
	return request
}

// stream translates chat completion chunks.
type stream struct {
	from  *chat.ChatCompletionStream
	begun bool // a choice came
}

func (s *stream) Close() error { return s.from.Close() }

func (s *stream) Next() (agent.Event, error) {
	chunk, err := s.from.Recv()
	if err != nil {
		return agent.Event{}, streamError(err)
	}
	var event agent.Event
	if u := chunk.Usage; u != nil && u.PromptTokens > 0 {
		event.Usage = &agent.Usage{Input: u.PromptTokens, Output: u.CompletionTokens}
	}
	// The chunk with the usage has no choice.
	if len(chunk.Choices) == 0 {
		return event, nil
	}
	choice := chunk.Choices[0]
	event.Text = choice.Delta.Content + choice.Delta.Refusal
	event.Calls = callDeltas(choice.Delta.ToolCalls)
	// Only the first chunk, which names the role, can come before the model works.
	// Any later chunk without text is thinking, whatever field a server puts it
	// in.
	event.Thinking = s.begun || choice.Delta.ReasoningContent != ""
	s.begun = true
	switch reason := choice.FinishReason; reason {
	case "", chat.FinishReasonNull:
	case chat.FinishReasonStop, "eos_token": // the latter is Text Generation Inference's
		event.End = true
	case chat.FinishReasonLength, "model_length": // the latter is Mistral's
		event.End, event.Truncated = true, true
	case chat.FinishReasonToolCalls: // some servers say "stop" instead
		event.End, event.Calling = true, true
	default:
		return agent.Event{}, agent.Fail(agent.ErrProvider, "it ended the reply for "+string(reason))
	}
	return event, nil
}
