package bedrock

import (
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"parley/shared/agent"
)

// stream translates the events of ConverseStream.
type stream struct {
	from *bedrockruntime.ConverseStreamEventStream
}

func (s *stream) Close() error { return s.from.Close() }

// Next returns io.EOF for any end of the events that is no error of the service.
// The SDK reports a broken connection just like a clean end, so only MessageStop
// makes a reply complete.
func (s *stream) Next() (agent.Event, error) {
	output, ok := <-s.from.Events()
	if !ok {
		if err := s.from.Err(); err != nil {
			return agent.Event{}, translate(err, agent.ErrCut)
		}
		return agent.Event{}, io.EOF
	}
	switch output := output.(type) {
	case *types.ConverseStreamOutputMemberContentBlockStart:
		return started(output.Value), nil
	case *types.ConverseStreamOutputMemberContentBlockDelta:
		return delta(aws.ToInt32(output.Value.ContentBlockIndex), output.Value.Delta), nil
	case *types.ConverseStreamOutputMemberMessageStop:
		return stop(output.Value.StopReason)
	case *types.ConverseStreamOutputMemberMetadata:
		return agent.Event{Usage: usage(output.Value.Usage)}, nil
	}
	return agent.Event{}, nil
}

// started translates the beginning of a block, which matters only for a tool
// call.
func started(e types.ContentBlockStartEvent) agent.Event {
	use, ok := e.Start.(*types.ContentBlockStartMemberToolUse)
	if !ok {
		return agent.Event{}
	}
	return agent.Event{Calls: []agent.CallDelta{{Index: int(aws.ToInt32(e.ContentBlockIndex)),
		ID: aws.ToString(use.Value.ToolUseId), Name: aws.ToString(use.Value.Name)}}}
}

func delta(block int32, d types.ContentBlockDelta) agent.Event {
	switch d := d.(type) {
	case *types.ContentBlockDeltaMemberToolUse:
		return agent.Event{Calls: []agent.CallDelta{{Index: int(block), Arguments: aws.ToString(d.Value.Input)}}}
	case *types.ContentBlockDeltaMemberText:
		return agent.Event{Text: d.Value}
	case *types.ContentBlockDeltaMemberReasoningContent:
		return agent.Event{Thinking: true}
	}
	return agent.Event{}
}

func stop(reason types.StopReason) (agent.Event, error) {
	switch reason {
	// After a guardrail has intervened, the text is the guardrail's answer.
	case types.StopReasonEndTurn, types.StopReasonStopSequence, types.StopReasonGuardrailIntervened:
		return agent.Event{End: true}, nil
	case types.StopReasonMaxTokens, types.StopReasonModelContextWindowExceeded:
		return agent.Event{End: true, Truncated: true}, nil
	case types.StopReasonToolUse:
		return agent.Event{End: true, Calling: true}, nil
	}
	return agent.Event{}, agent.Fail(agent.ErrProvider, "it ended the reply for "+string(reason))
}

// usage adds the tokens read from and written to the cache to the input, since
// InputTokens excludes them.
func usage(u *types.TokenUsage) *agent.Usage {
	if u == nil {
		return nil
	}
	input := aws.ToInt32(u.InputTokens) + aws.ToInt32(u.CacheReadInputTokens) + aws.ToInt32(u.CacheWriteInputTokens)
	return &agent.Usage{Input: int(input), Output: int(aws.ToInt32(u.OutputTokens))}
}
