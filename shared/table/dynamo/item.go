package dynamo

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/shared/table"
)

func encodeKey(k table.Key) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		table.PK: &types.AttributeValueMemberS{Value: k.PK},
		table.SK: &types.AttributeValueMemberS{Value: k.SK},
	}
}

func encodeItem(item table.Item) map[string]types.AttributeValue {
	stored := make(map[string]types.AttributeValue, len(item))
	for name, value := range item {
		stored[name] = encode(value)
	}
	return stored
}

// encode takes a value that a check of package table has let pass.
func encode(value any) types.AttributeValue {
	switch value := value.(type) {
	case int64:
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(value, 10)}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: value}
	default:
		return &types.AttributeValueMemberS{Value: value.(string)}
	}
}

// decodeItem returns nil for no attributes, which is how DynamoDB says that
// there is no item. An attribute that no table.Item can have is an error:
// somebody else wrote it.
func decodeItem(stored map[string]types.AttributeValue) (table.Item, error) {
	if len(stored) == 0 {
		return nil, nil
	}
	item := make(table.Item, len(stored))
	for name, value := range stored {
		switch value := value.(type) {
		case *types.AttributeValueMemberS:
			item[name] = value.Value
		case *types.AttributeValueMemberN:
			n, err := strconv.ParseInt(value.Value, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("stored attribute %s: %w", name, err)
			}
			item[name] = n
		case *types.AttributeValueMemberBOOL:
			item[name] = value.Value
		default:
			return nil, fmt.Errorf("stored attribute %s: unexpected %T", name, value)
		}
	}
	return item, nil
}
