package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/shared/table"
)

// allOld makes a refusal carry the item that stands.
const allOld = types.ReturnValuesOnConditionCheckFailureAllOld

// Write implements table.Table. One action is a PutItem, UpdateItem or
// DeleteItem; several, and a lone check, are a TransactWriteItems, whose client
// token the SDK draws for each call and keeps over its retries.
func (t *Table) Write(ctx context.Context, actions ...table.Action) error {
	if err := table.CheckWrite(actions); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", table.ErrNotDone, err)
	}
	var w watch
	err := t.send(ctx, actions, w.options)
	return translateWrite(err, w.unanswered)
}

func (t *Table) send(ctx context.Context, actions []table.Action, watch func(*dynamodb.Options)) error {
	if len(actions) > 1 {
		return t.sendTransaction(ctx, actions, watch)
	}
	a := actions[0]
	e := expressionOf(a)
	switch a.Kind {
	case table.PutAction:
		_, err := t.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName:                           &t.name,
			Item:                                encodeItem(a.Item),
			ConditionExpression:                 e.condition,
			ExpressionAttributeNames:            e.names,
			ExpressionAttributeValues:           e.values,
			ReturnValuesOnConditionCheckFailure: allOld,
		}, watch)
		return err
	case table.UpdateAction:
		_, err := t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName:                           &t.name,
			Key:                                 encodeKey(a.Key),
			UpdateExpression:                    e.update,
			ConditionExpression:                 e.condition,
			ExpressionAttributeNames:            e.names,
			ExpressionAttributeValues:           e.values,
			ReturnValuesOnConditionCheckFailure: allOld,
		}, watch)
		return err
	case table.DeleteAction:
		_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName:                           &t.name,
			Key:                                 encodeKey(a.Key),
			ConditionExpression:                 e.condition,
			ExpressionAttributeNames:            e.names,
			ExpressionAttributeValues:           e.values,
			ReturnValuesOnConditionCheckFailure: allOld,
		}, watch)
		return err
	default:
		return t.sendTransaction(ctx, actions, watch)
	}
}

func (t *Table) sendTransaction(ctx context.Context, actions []table.Action, watch func(*dynamodb.Options)) error {
	items := make([]types.TransactWriteItem, len(actions))
	for n, a := range actions {
		items[n] = t.transactItem(a)
	}
	_, err := t.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items}, watch)
	return err
}

func (t *Table) transactItem(a table.Action) types.TransactWriteItem {
	e := expressionOf(a)
	switch a.Kind {
	case table.PutAction:
		return types.TransactWriteItem{Put: &types.Put{
			TableName:                           &t.name,
			Item:                                encodeItem(a.Item),
			ConditionExpression:                 e.condition,
			ExpressionAttributeNames:            e.names,
			ExpressionAttributeValues:           e.values,
			ReturnValuesOnConditionCheckFailure: allOld,
		}}
	case table.UpdateAction:
		return types.TransactWriteItem{Update: &types.Update{
			TableName:                           &t.name,
			Key:                                 encodeKey(a.Key),
			UpdateExpression:                    e.update,
			ConditionExpression:                 e.condition,
			ExpressionAttributeNames:            e.names,
			ExpressionAttributeValues:           e.values,
			ReturnValuesOnConditionCheckFailure: allOld,
		}}
	case table.DeleteAction:
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName:                           &t.name,
			Key:                                 encodeKey(a.Key),
			ConditionExpression:                 e.condition,
			ExpressionAttributeNames:            e.names,
			ExpressionAttributeValues:           e.values,
			ReturnValuesOnConditionCheckFailure: allOld,
		}}
	default:
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName:                           &t.name,
			Key:                                 encodeKey(a.Key),
			ConditionExpression:                 e.condition,
			ExpressionAttributeNames:            e.names,
			ExpressionAttributeValues:           e.values,
			ReturnValuesOnConditionCheckFailure: allOld,
		}}
	}
}
