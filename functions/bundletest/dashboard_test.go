package bundletest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"gopkg.in/yaml.v3"

	"parley/functions/feed"
	"parley/functions/internal/functiontest"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	runs "parley/shared/run"
)

// widget is one of the dashboard's.
type widget struct {
	Type       string
	Properties struct {
		Title, Query, Stat string
		Metrics            [][]any
	}
}

// widgets reads the template's dashboard. What refers to a resource stays as its id.
func widgets(t *testing.T) []widget {
	t.Helper()
	body := at(readTemplate(t, nil).doc, "Resources", "Dashboard", "Properties", "DashboardBody")
	text := regexp.MustCompile(`\$\{([\w:]+)\}`).ReplaceAllString(body.Value, "$1")
	var dashboard struct{ Widgets []widget }
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatalf("the dashboard is no JSON: %v", err)
	}
	return dashboard.Widgets
}

// emit has the code write each kind of line that the dashboard asks for, as it does on
// Lambda, and returns the keys of the lines by their message.
func emit(t *testing.T) map[string]map[string]bool {
	t.Helper()
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{ReplaceAttr: lambdacontext.ReplaceAttr}))
	k := functiontest.New(t, parley.Config{})
	caller, _ := k.Visitor(t)
	ask := func(id parley.EntryID, session parley.SessionID, steps ...agenttest.Step) {
		t.Helper()
		engine := k.Engine(t, agenttest.New(agenttest.Always(steps...)), func(c *runs.Config) { c.Log = logger })
		sent, claim, err := engine.Send(t.Context(), caller, parley.SendRequest{ID: id, Session: session, Begins: true, Channel: parley.ChannelNative, Content: "Help!", Claim: true})
		if err == nil {
			err = engine.Stream(t.Context(), sent.Ref, 0, claim, func(runs.Event) error { return nil })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ask("m1", "helped", agenttest.Step{Delta: "A person will."}, agenttest.Step{Result: &agent.Result{Handover: true}})
	ask("m2", "failed", agenttest.Step{Err: agent.ErrProvider})
	by := parley.Author{Kind: parley.AuthorHuman, ID: "op"}
	if _, err := k.Store.Reply(t.Context(), parleytest.Operator(), by, parley.ReplyRequest{ID: "r1", Session: "helped", Content: "Here I am."}); err != nil {
		t.Fatal(err)
	}
	changes, err := k.Table.Changes(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	hear := feed.New(feed.Config{Log: logger})
	for _, c := range changes {
		hear(t.Context(), []feed.Record{{ID: fmt.Sprint(c.Seq), Change: c.Change}})
	}
	api.LogNear(logger)(parley.Near{Project: "p", Bound: "address", What: "tokens"})
	lines := map[string]map[string]bool{}
	for line := range strings.Lines(log.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		message := l["message"].(string)
		if lines[message] == nil {
			lines[message] = map[string]bool{}
		}
		for key := range l {
			lines[message][key] = true
		}
	}
	return lines
}

// published are metrics of AWS with the dimensions that they are asked for by here.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
var published = map[string]struct{ names, dimensions []string }{
	"AWS/Lambda": {[]string{"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions", "IteratorAge", "DeadLetterErrors",
		"DestinationDeliveryFailures", "AsyncEventsReceived", "AsyncEventAge", "AsyncEventsDropped", "UnreservedConcurrentExecutions"}, []string{"FunctionName"}},
	"AWS/DynamoDB": {[]string{"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ThrottledRequests", "ReadThrottleEvents", "WriteThrottleEvents",
		"SystemErrors", "UserErrors", "SuccessfulRequestLatency"}, []string{"TableName", "GlobalSecondaryIndexName"}},
	"AWS/SQS": {[]string{"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "NumberOfMessagesSent"}, []string{"QueueName"}},
}

// TestDashboardQueries: each query asks of lines that the code writes for what they have.
func TestDashboardQueries(t *testing.T) {
	lines := emit(t)
	asked := 0
	for _, w := range widgets(t) {
		if w.Type != "log" {
			continue
		}
		asked++
		query, ok := strings.CutPrefix(w.Properties.Query, "SOURCE 'LogGroup' | filter ")
		if !ok {
			t.Errorf("%s: %s", w.Properties.Title, w.Properties.Query)
			continue
		}
		messages := messagesOf(query)
		for _, m := range messages {
			if lines[m] == nil {
				t.Errorf("%s: no line says %q", w.Properties.Title, m)
			}
		}
		if len(messages) == 0 { // it takes lines by what they have
			messages = slices.Collect(maps.Keys(lines))
		}
		for _, field := range fieldsOf(query) {
			if !slices.ContainsFunc(messages, func(m string) bool { return lines[m][field] }) {
				t.Errorf("%s: none of the lines %q has %s", w.Properties.Title, messages, field)
			}
		}
	}
	if asked < 8 {
		t.Errorf("the dashboard asks the log %d times", asked)
	}
}

var (
	quoted   = regexp.MustCompile(`"[^"]*"`)
	messages = regexp.MustCompile(`message (?:= |in )(\[[^\]]*\]|"[^"]*")`)
	renamed  = regexp.MustCompile(` as (\w+)`)
	word     = regexp.MustCompile(`\b[a-zA-Z_]\w*`)
	// ofLanguage are words of CloudWatch's query language.
	ofLanguage = []string{"filter", "stats", "sort", "by", "as", "and", "or", "not", "in", "desc", "asc", "limit",
		"sum", "count", "avg", "max", "min", "pct", "bin", "strcontains", "ispresent"}
)

// messagesOf returns the messages of the lines that a query takes.
func messagesOf(query string) (all []string) {
	for _, m := range messages.FindAllStringSubmatch(query, -1) {
		for _, text := range quoted.FindAllString(m[1], -1) {
			all = append(all, strings.Trim(text, `"`))
		}
	}
	return all
}

// fieldsOf returns the fields of lines that a query names.
func fieldsOf(query string) (all []string) {
	query = quoted.ReplaceAllString(query, "")
	own := slices.Clone(ofLanguage)
	for _, m := range renamed.FindAllStringSubmatch(query, -1) {
		own = append(own, m[1])
	}
	for _, w := range word.FindAllString(query, -1) {
		if !slices.Contains(own, w) {
			all = append(all, w)
		}
	}
	return all
}

// TestFieldsOf: what a query names is found, or the test above sees nothing.
func TestFieldsOf(t *testing.T) {
	const query = `message in ["wait begun", "x"] and ispresent(b) | stats avg(waitedMs) / 60000 as minutes, sum(strcontains(c, "done")) as c2 by bin(1h), d | sort minutes desc`
	if got, want := fieldsOf(query), []string{"message", "b", "waitedMs", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("fields %q, want %q", got, want)
	}
	if got, want := messagesOf(query), []string{"wait begun", "x"}; !slices.Equal(got, want) {
		t.Errorf("messages %q, want %q", got, want)
	}
}

// TestDashboardMetrics: each metric is one that AWS publishes of a resource of the
// template, all that costs is in, and the prices are those that docs/cost.md has.
func TestDashboardMetrics(t *testing.T) {
	tp := readTemplate(t, nil)
	resources := at(tp.doc, "Resources")
	shown := map[string]bool{}
	expressions := ""
	for _, w := range widgets(t) {
		if w.Type == "metric" && w.Properties.Stat != "Sum" {
			t.Errorf("%s: %s", w.Properties.Title, w.Properties.Stat)
		}
		for _, m := range w.Properties.Metrics {
			options, _ := m[len(m)-1].(map[string]any)
			if e, ok := options["expression"].(string); ok {
				expressions += e + "\n"
				continue
			}
			namespace, name := m[0].(string), m[1].(string)
			of := published[namespace]
			if !slices.Contains(of.names, name) {
				t.Errorf("%s has no metric %s", namespace, name)
			}
			for i := 2; i+1 < len(m); i += 2 {
				if !slices.Contains(of.dimensions, m[i].(string)) {
					t.Errorf("%s %s has no dimension %v", namespace, name, m[i])
				}
			}
			if owner := m[3].(string); at(resources, owner) == nil {
				t.Errorf("%s %s is of %s, which is not there", namespace, name, owner)
			}
			shown[fmt.Sprint(m[:len(m)-1])] = true
		}
	}
	want := map[string]bool{}
	for _, name := range tp.functions() {
		for _, metric := range []string{"Duration", "Invocations"} {
			want[fmt.Sprintf("[AWS/Lambda %s FunctionName %s]", metric, logicalID(name))] = true
		}
	}
	for _, metric := range []string{"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"} {
		want[fmt.Sprintf("[AWS/DynamoDB %s TableName Table]", metric)] = true
		for _, index := range at(resources, "Table", "Properties", "GlobalSecondaryIndexes").Content {
			want[fmt.Sprintf("[AWS/DynamoDB %s TableName Table GlobalSecondaryIndexName %s]", metric, at(index, "IndexName").Value)] = true
		}
	}
	if !maps.Equal(shown, want) {
		t.Errorf("shown are\n%v, want\n%v", slices.Sorted(maps.Keys(shown)), slices.Sorted(maps.Keys(want)))
	}
	if len(shown) > 50 {
		t.Errorf("%d metrics: CloudWatch charges for a dashboard of more than 50", len(shown))
	}
	for _, price := range []string{"0.0000133334", "* 0.0000002", "* 0.000000625", "* 0.000000125"} {
		if !strings.Contains(expressions, price) {
			t.Errorf("no expression has the price %s", price)
		}
	}
}

// TestMetricsExist: each metric that an alarm watches is one that AWS publishes, or that
// a filter of the template makes from the log.
func TestMetricsExist(t *testing.T) {
	tp := readTemplate(t, nil)
	made := map[string]bool{}
	for _, r := range pairs(at(tp.doc, "Resources")) {
		if at(r, "Type").Value == "AWS::Logs::MetricFilter" {
			for _, m := range at(r, "Properties", "MetricTransformations").Content {
				made[at(m, "MetricNamespace").Value+" "+at(m, "MetricName").Value] = true
			}
		}
	}
	alarms := 0
	for id, r := range pairs(at(tp.doc, "Resources")) {
		if at(r, "Type").Value != "AWS::CloudWatch::Alarm" {
			continue
		}
		eachMetric(r, func(namespace, name string, dimensions []*yaml.Node) {
			alarms++
			of, known := published[namespace]
			switch {
			case known && slices.Contains(of.names, name):
				for _, d := range dimensions {
					if !slices.Contains(of.dimensions, at(d, "Name").Value) {
						t.Errorf("%s: %s %s has no dimension %s", id, namespace, name, at(d, "Name").Value)
					}
				}
			case made[namespace+" "+name]:
			default:
				t.Errorf("%s watches %s %s, which is not there", id, namespace, name)
			}
		})
	}
	if alarms == 0 {
		t.Error("no alarm watches anything")
	}
}

// eachMetric visits the metrics that a resource names, at whatever depth.
func eachMetric(n *yaml.Node, visit func(namespace, name string, dimensions []*yaml.Node)) {
	if namespace, name := at(n, "Namespace"), at(n, "MetricName"); namespace != nil && name != nil {
		var dimensions []*yaml.Node
		if d := at(n, "Dimensions"); d != nil {
			dimensions = d.Content
		}
		visit(namespace.Value, name.Value, dimensions)
	}
	for _, child := range n.Content {
		eachMetric(child, visit)
	}
}
