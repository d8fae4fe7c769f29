// Package bedrock answers with a model of Amazon Bedrock, by ConverseStream. The
// role that runs it needs bedrock:InvokeModelWithResponseStream on the model,
// and on the inference profile and its regions where one is used.
package bedrock

import (
	"cmp"
	"context"
	"errors"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/schemas"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go/transport/http/protocol/restjson1"

	"parley/shared/agent"
)

// Config says which model to ask, and how long to wait for it.
type Config struct {
	// AWS provides the region, required, and the credentials. Its retryer is not
	// used; see newRetryer.
	AWS aws.Config
	// Model is the id of a model or an inference profile, used where a persona
	// names none. Required.
	Model string
	// Relay has the deadlines, and what answers are grounded in; its Open is set here.
	Relay agent.Relay
	// Attempts is how often a request is sent at most before its stream opens; 0
	// means agent.DefaultAttempts. It is repeated only after a throttle (429), a
	// server error (500, 502, 503, 504), or where no connection could be made.
	Attempts int
}

// Agent asks a model. It is safe for concurrent use.
type Agent struct {
	agent.Relay
	client *bedrockruntime.Client
	model  string
}

// New checks the config and returns an agent. It connects to nothing.
func New(config Config) (*Agent, error) {
	if config.Model == "" {
		return nil, errors.New("bedrock: no model")
	}
	if config.AWS.Region == "" {
		return nil, errors.New("bedrock: no region")
	}
	a := &Agent{
		Relay: config.Relay,
		client: bedrockruntime.NewFromConfig(config.AWS, func(o *bedrockruntime.Options) {
			o.Retryer = newRetryer(cmp.Or(config.Attempts, agent.DefaultAttempts))
			o.HTTPClient = requestFirst{o.HTTPClient}
		}),
		model: config.Model,
	}
	a.Open = a.open
	return a, nil
}

func (a *Agent) open(ctx context.Context, p agent.Prompt) (agent.Stream, error) {
	output, err := a.client.ConverseStream(ctx, a.request(p), ownProtocol)
	if err != nil {
		return nil, translate(err, agent.ErrProvider)
	}
	return &stream{output.GetStream()}, nil
}

// ownProtocol gives each request a decoder of its own. A client's decoder is
// shared by all its streams and decodes into one buffer (smithy-go 1.28.7), so
// two concurrent replies would read each other's text.
func ownProtocol(o *bedrockruntime.Options) {
	o.Protocol = restjson1.New(schemas.AmazonBedrockFrontendService)
}

func (a *Agent) request(p agent.Prompt) *bedrockruntime.ConverseStreamInput {
	input := &bedrockruntime.ConverseStreamInput{
		ModelId: aws.String(cmp.Or(p.Model, a.model)),
		System:  []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: p.System}},
		InferenceConfig: &types.InferenceConfiguration{
			MaxTokens: aws.Int32(int32(min(p.MaxTokens, math.MaxInt32))),
		},
	}
	for _, m := range p.Messages {
		role := types.ConversationRoleUser
		if m.Role == agent.AI {
			role = types.ConversationRoleAssistant
		}
		input.Messages = append(input.Messages, types.Message{
			Role:    role,
			Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: m.Text}},
		})
	}
	addTools(input, p)
	return input
}
