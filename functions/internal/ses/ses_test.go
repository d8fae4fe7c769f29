package ses_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"parley/functions/internal/ses"
	"parley/shared/awscall"
	"parley/shared/awstest"
	"parley/shared/mail"
)

var keys = aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret/+", SessionToken: "to/ken=="}

// endpoint replaces that of the service.
type endpoint string

func (e endpoint) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	return string(e), service == "SESv2", nil
}

func client(t *testing.T, h http.HandlerFunc) *ses.Client {
	t.Helper()
	server := httptest.NewServer(awstest.Signed(t, "ses", keys, h))
	t.Cleanup(server.Close)
	return ses.New(awscall.New(aws.Config{Region: "us-east-1", HTTPClient: http.DefaultClient,
		Credentials:   credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken),
		ConfigSources: []any{endpoint(server.URL)}}))
}

func message() mail.Message {
	return mail.Message{ID: "n1", From: mail.Address{Name: "Shop", Email: "support@shop.example"},
		To: []mail.Address{{Name: "Ola", Email: "ola@shop.example"}}, Subject: "Größe", Text: "Hello"}
}

// TestSend: SES is asked, with a signature for it, to send the message as it is.
func TestSend(t *testing.T) {
	calls := 0
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		var got struct {
			FromEmailAddress string
			Destination      map[string][]string
			Content          struct{ Raw struct{ Data []byte } }
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		raw := string(got.Content.Raw.Data)
		if r.Method != http.MethodPost || r.URL.Path != "/v2/email/outbound-emails" || r.Header.Get("Content-Type") != "application/json" ||
			got.FromEmailAddress != "support@shop.example" || len(got.Destination) != 1 || strings.Join(got.Destination["ToAddresses"], " ") != "ola@shop.example" ||
			!strings.Contains(raw, "X-Parley-ID: n1\r\n") || !strings.HasSuffix(raw, "\r\n\r\nHello\r\n") {
			t.Errorf("asked %s %s: %+v with %q", r.Method, r.URL, got, raw)
		}
		io.WriteString(w, `{"MessageId":"0100"}`)
	})
	if err := c.Send(t.Context(), message()); err != nil || calls != 1 {
		t.Errorf("Send = %v after %d calls", err, calls)
	}
}

// TestRefused: a message that SES cannot read is final; what the deployment's
// owner can change is not. AWS's explanation is not told.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		final  bool
	}{
		{400, "BadRequestException", true},
		{400, "MessageRejected", false},
		{400, "AccountSuspendedException", false},
		{403, "AccessDeniedException", false},
		{404, "NotFoundException", false},
	} {
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amzn-ErrorType", test.code)
			w.WriteHeader(test.status)
			io.WriteString(w, `{"message":"not for ola@shop.example"}`)
		})
		err := c.Send(t.Context(), message())
		if err == nil || errors.Is(err, mail.ErrRefused) != test.final || strings.Contains(err.Error(), "ola") || !strings.Contains(err.Error(), test.code) {
			t.Errorf("%s: Send = %v", test.code, err)
		}
	}
	m := message()
	m.To[0].Email = "nobody"
	if err := client(t, nil).Send(t.Context(), m); !errors.Is(err, mail.ErrRefused) {
		t.Errorf("a message that is none: Send = %v", err)
	}
}
