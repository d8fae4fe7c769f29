package openai

import (
	chat "github.com/sashabaranov/go-openai"

	"parley/shared/agent"
)

// addTools adds the prompt's tools and its rounds so far.
func addTools(request *chat.ChatCompletionRequest, p agent.Prompt) {
	for _, t := range p.Tools {
		request.Tools = append(request.Tools, chat.Tool{Type: chat.ToolTypeFunction,
			Function: &chat.FunctionDefinition{Name: t.Name, Description: t.Description, Parameters: t.Parameters}})
	}
	if p.Closing {
		request.ToolChoice = "none"
	}
	for _, round := range p.Rounds {
		said := chat.ChatCompletionMessage{Role: chat.ChatMessageRoleAssistant, Content: round.Text}
		var results []chat.ChatCompletionMessage
		for _, c := range round.Calls {
			said.ToolCalls = append(said.ToolCalls, chat.ToolCall{ID: c.ID, Type: chat.ToolTypeFunction,
				Function: chat.FunctionCall{Name: c.Tool, Arguments: string(c.Arguments)}})
			results = append(results, chat.ChatCompletionMessage{Role: chat.ChatMessageRoleTool, ToolCallID: c.ID, Content: outcomeText(c)})
		}
		request.Messages = append(append(request.Messages, said), results...)
	}
}

// outcomeText is the content of a tool's message. Such a message has no field
// for failure, and must not be empty.
func outcomeText(c agent.Call) string {
	switch {
	case c.Failed:
		return "Error: " + c.Text
	case c.Text == "":
		return "Done."
	}
	return c.Text
}

func callDeltas(from []chat.ToolCall) []agent.CallDelta {
	deltas := make([]agent.CallDelta, len(from))
	for i, t := range from {
		deltas[i] = agent.CallDelta{Index: -1, ID: t.ID, Name: t.Function.Name, Arguments: t.Function.Arguments}
		if t.Index != nil {
			deltas[i].Index = max(*t.Index, 0)
		}
	}
	return deltas
}
