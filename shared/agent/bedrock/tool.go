package bedrock

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	smithydocument "github.com/aws/smithy-go/document"

	"parley/shared/agent"
)

// addTools adds the prompt's tools and its rounds so far. Converse cannot forbid
// calls in a request that has tools, and demands the tools as long as the
// messages contain calls.
func addTools(input *bedrockruntime.ConverseStreamInput, p agent.Prompt) {
	if len(p.Tools) > 0 {
		input.ToolConfig = &types.ToolConfiguration{}
	}
	for _, t := range p.Tools {
		input.ToolConfig.Tools = append(input.ToolConfig.Tools, &types.ToolMemberToolSpec{Value: types.ToolSpecification{
			Name:        aws.String(t.Name),
			Description: aws.String(t.Description),
			InputSchema: &types.ToolInputSchemaMemberJson{Value: documentOf(t.Parameters)},
		}})
	}
	for _, round := range p.Rounds {
		said := types.Message{Role: types.ConversationRoleAssistant}
		if strings.TrimSpace(round.Text) != "" { // a blank block is refused
			said.Content = append(said.Content, &types.ContentBlockMemberText{Value: round.Text})
		}
		results := types.Message{Role: types.ConversationRoleUser}
		for _, c := range round.Calls {
			said.Content = append(said.Content, &types.ContentBlockMemberToolUse{Value: types.ToolUseBlock{
				ToolUseId: aws.String(c.ID), Name: aws.String(c.Tool), Input: documentOf(c.Arguments)}})
			results.Content = append(results.Content, &types.ContentBlockMemberToolResult{Value: result(c)})
		}
		input.Messages = append(input.Messages, said, results)
	}
}

func result(c agent.Call) types.ToolResultBlock {
	block := types.ToolResultBlock{ToolUseId: aws.String(c.ID), Status: types.ToolResultStatusSuccess}
	if c.Failed {
		block.Status = types.ToolResultStatusError
	}
	text := c.Text
	if strings.TrimSpace(text) == "" {
		text = "Done."
	}
	block.Content = []types.ToolResultContentBlock{&types.ToolResultContentBlockMemberText{Value: text}}
	return block
}

// documentOf converts valid JSON to a document of the SDK, which is made of Go
// values. Numbers keep their digits: an order number may have 20.
func documentOf(text json.RawMessage) document.Interface {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		v = map[string]any{}
	}
	return document.NewLazyDocument(withNumbers(v))
}

// withNumbers replaces the decoder's numbers by the SDK's type for them.
func withNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return smithydocument.Number(v)
	case map[string]any:
		for k := range v {
			v[k] = withNumbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = withNumbers(v[i])
		}
	}
	return v
}
