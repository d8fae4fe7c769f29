package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"parley/shared/table"
)

// StreamEvent is a batch of a DynamoDB stream as Lambda delivers it
// (https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-example.html).
type StreamEvent struct {
	Records []StreamRecord `json:"Records"`
}

// StreamRecord is one record of it.
type StreamRecord struct {
	DynamoDB struct {
		// In seconds, in which Lambda writes it, with or without a fraction.
		ApproximateCreationDateTime float64 `json:"ApproximateCreationDateTime"`

		SequenceNumber string `json:"SequenceNumber"`
		OldImage       image  `json:"OldImage"`
		NewImage       image  `json:"NewImage"`
	} `json:"dynamodb"`
}

// StreamResponse says which records must be delivered again
// (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html).
type StreamResponse struct {
	BatchItemFailures []BatchItemFailure `json:"batchItemFailures"`
}

// BatchItemFailure is a record that failed, by its sequence number.
type BatchItemFailure struct {
	ItemIdentifier string `json:"itemIdentifier"`
}

// Stream handles a batch of the DynamoDB stream.
func (h Handler) Stream(ctx context.Context, e StreamEvent) (StreamResponse, error) {
	records := make([]Record, len(e.Records))
	for i, r := range e.Records {
		records[i] = Record{ID: r.DynamoDB.SequenceNumber, Change: table.Change{Old: table.Item(r.DynamoDB.OldImage), New: table.Item(r.DynamoDB.NewImage)}}
		if at := r.DynamoDB.ApproximateCreationDateTime; at > 0 {
			records[i].Changed = time.UnixMilli(int64(at * 1000))
		}
	}
	out := StreamResponse{BatchItemFailures: []BatchItemFailure{}}
	if failed := h(ctx, records); failed != "" {
		out.BatchItemFailures = append(out.BatchItemFailures, BatchItemFailure{failed})
	}
	return out, nil
}

// image is an item in the stream's notation.
type image table.Item

// UnmarshalJSON implements json.Unmarshaler for the three types of attribute
// that the table holds.
func (i *image) UnmarshalJSON(b []byte) error {
	var attributes map[string]struct {
		S    *string `json:"S"`
		N    *string `json:"N"`
		BOOL *bool   `json:"BOOL"`
	}
	if err := json.Unmarshal(b, &attributes); err != nil {
		return fmt.Errorf("decode stream image: %w", err)
	}
	if attributes == nil {
		return nil
	}
	*i = image{}
	for name, v := range attributes {
		switch {
		case v.S != nil:
			(*i)[name] = *v.S
		case v.N != nil:
			n, err := strconv.ParseInt(*v.N, 10, 64)
			if err != nil {
				return fmt.Errorf("attribute %s is no whole number", name)
			}
			(*i)[name] = n
		case v.BOOL != nil:
			(*i)[name] = *v.BOOL
		default:
			return fmt.Errorf("attribute %s is of a type that the table does not hold", name)
		}
	}
	return nil
}
