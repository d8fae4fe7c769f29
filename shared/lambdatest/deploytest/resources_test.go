package deploytest

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/shared/table/dynamo"
)

// TestTable: the table that is deployed is the one that the tests run on.
func TestTable(t *testing.T) {
	resource := load(t).in("Resources", "Table")
	got, want := resource.in("Properties"), dynamo.Schema("any")
	if got["BillingMode"] != string(want.BillingMode) {
		t.Errorf("BillingMode = %v", got["BillingMode"])
	}
	if s := keySchema(got); !reflect.DeepEqual(s, want.KeySchema) {
		t.Errorf("KeySchema = %v", s)
	}
	attributes := map[string]string{}
	for _, a := range got.list("AttributeDefinitions") {
		attributes[a.(node)["AttributeName"].(string)] = a.(node)["AttributeType"].(string)
	}
	if len(attributes) != len(want.AttributeDefinitions) {
		t.Errorf("AttributeDefinitions = %v", attributes)
	}
	for _, a := range want.AttributeDefinitions {
		if attributes[*a.AttributeName] != string(a.AttributeType) {
			t.Errorf("attribute %s = %s", *a.AttributeName, attributes[*a.AttributeName])
		}
	}
	var indexes []types.GlobalSecondaryIndex
	for _, x := range got.list("GlobalSecondaryIndexes") {
		x := x.(node)
		name := x["IndexName"].(string)
		indexes = append(indexes, types.GlobalSecondaryIndex{IndexName: &name, KeySchema: keySchema(x),
			Projection: &types.Projection{ProjectionType: types.ProjectionType(x.at("Projection", "ProjectionType").(string))}})
	}
	if !reflect.DeepEqual(indexes, want.GlobalSecondaryIndexes) {
		t.Errorf("GlobalSecondaryIndexes = %v", got["GlobalSecondaryIndexes"])
	}
	if v := got.at("StreamSpecification", "StreamViewType"); v != string(want.StreamSpecification.StreamViewType) {
		t.Errorf("StreamViewType = %v", v)
	}
	ttl := dynamo.TimeToLive("any").TimeToLiveSpecification
	if v := got.in("TimeToLiveSpecification"); v["AttributeName"] != *ttl.AttributeName || v["Enabled"] != *ttl.Enabled {
		t.Errorf("TimeToLiveSpecification = %v", v)
	}
	if got.at("PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != true {
		t.Error("no point-in-time recovery")
	}
	kept(t, "Table", resource)
}

func keySchema(of node) []types.KeySchemaElement {
	var s []types.KeySchemaElement
	for _, e := range of.list("KeySchema") {
		name := e.(node)["AttributeName"].(string)
		s = append(s, types.KeySchemaElement{AttributeName: &name, KeyType: types.KeyType(e.(node)["KeyType"].(string))})
	}
	return s
}

// kept checks that a mistake with the stack does not lose data.
func kept(t *testing.T, id string, resource node) {
	t.Helper()
	if resource["DeletionPolicy"] != "RetainExceptOnCreate" || resource["UpdateReplacePolicy"] != "Retain" {
		t.Errorf("%s is deleted with the stack: %v, %v", id, resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
	}
}

func TestBucket(t *testing.T) {
	resource := load(t).in("Resources", "Bucket")
	kept(t, "Bucket", resource)
	p := resource.in("Properties")
	for _, key := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		if p.at("PublicAccessBlockConfiguration", key) != true {
			t.Errorf("%s is off", key)
		}
	}
	if p["VersioningConfiguration"] != nil {
		t.Error("with versions, what is erased is not gone")
	}
	if len(p.list("BucketEncryption", "ServerSideEncryptionConfiguration")) != 1 {
		t.Error("objects are not encrypted")
	}
	cors := p.list("CorsConfiguration", "CorsRules")
	if len(cors) != 1 || !reflect.DeepEqual(cors[0].(node)["AllowedMethods"], []any{"GET", "POST", "PUT"}) || cors[0].(node).at("AllowedOrigins", "Ref") != "UploadOrigins" {
		t.Errorf("CorsRules = %v", cors)
	}
	expires, aborts := false, false
	for _, rule := range p.list("LifecycleConfiguration", "Rules") {
		r := rule.(node)
		expires = expires || r["Prefix"] == "quarantine/" && r["ExpirationInDays"] == 1 && r["Status"] == "Enabled"
		aborts = aborts || r["Prefix"] == nil && r.at("AbortIncompleteMultipartUpload", "DaysAfterInitiation") != nil && r["ExpirationInDays"] == nil
	}
	if !expires || !aborts {
		t.Errorf("quarantine expires: %v; abandoned uploads do: %v", expires, aborts)
	}
}

// TestRights: each function may do what its settings name, and nothing on
// everything.
func TestRights(t *testing.T) {
	template := load(t)
	for name, f := range template.functions() {
		may := map[string][]string{} // action to resources
		for _, statement := range template.statements(f) {
			if statement["Effect"] != "Allow" {
				t.Errorf("%s: a statement of effect %v", name, statement["Effect"])
			}
			for _, action := range oneOrMore(statement["Action"]) {
				for _, resource := range oneOrMore(statement["Resource"]) {
					may[action.(string)] = append(may[action.(string)], fmt.Sprint(resource))
				}
			}
		}
		for action, resources := range may {
			if strings.Contains(action, "*") || action == "dynamodb:Scan" {
				t.Errorf("%s may %s", name, action)
			}
			for _, r := range resources {
				if bare := strings.NewReplacer("/quarantine/*", "", "/files/*", "",
					":parameter/parley/${AWS::StackName}/actions/*", "", ":parameter/parley/${AWS::StackName}/notify/*", "",
					"/stream/*", "", "/live/GET/@connections/*", "", "/live/POST/@connections/*", "", "/live/DELETE/@connections/*", "").Replace(r); strings.Contains(bare, "*") {
					t.Errorf("%s may %s on %s", name, action, r)
				}
			}
		}
		variables := f.in("Properties", "Environment", "Variables")
		for variable, action := range map[string]string{
			"PARLEY_TABLE":  "dynamodb:GetItem",
			"PARLEY_BUCKET": "s3:",
			"PARLEY_AGENT":  "bedrock:InvokeModelWithResponseStream",
		} {
			can := false
			for a := range may {
				can = can || strings.HasPrefix(a, action)
			}
			if has := variables[variable] != nil; has != can {
				t.Errorf("%s: has %s: %v; may %s: %v", name, variable, has, action, can)
			}
		}
		ofActions := slices.ContainsFunc(may["ssm:GetParameter"], func(r string) bool { return strings.Contains(r, "/actions/*") })
		if has := variables["PARLEY_ACTION_SECRETS"] != nil; has != ofActions {
			t.Errorf("%s: has PARLEY_ACTION_SECRETS: %v; may read them: %v", name, has, ofActions)
		}
		tells := slices.ContainsFunc(may["ssm:GetParameter"], func(r string) bool { return strings.Contains(r, "/notify/*") })
		if has := variables["PARLEY_NOTIFY_PARAMETERS"] != nil; has != tells || has != (name == "hooks") {
			t.Errorf("%s: has PARLEY_NOTIFY_PARAMETERS: %v; may read them: %v", name, has, tells)
		}
		mails := strings.Join(may["ses:SendEmail"], " ")
		if has := variables["PARLEY_MAIL_FROM"] != nil; has != (mails != "") || has != (name == "hooks") ||
			has && strings.Count(mails, ":identity/") != 2 {
			t.Errorf("%s: has PARLEY_MAIL_FROM: %v; may send mails of %s", name, has, mails)
		}
		ofKey := slices.ContainsFunc(may["ssm:GetParameter"], func(r string) bool { return !strings.Contains(r, "/actions/*") && !strings.Contains(r, "/notify/*") })
		if has := variables["PARLEY_AGENT_KEY_ARN"] != nil; has != ofKey {
			t.Errorf("%s: has PARLEY_AGENT_KEY_ARN: %v; may read it: %v", name, has, ofKey)
		}
		// The key of an agent may be a secret too.
		opens := slices.ContainsFunc(may["secretsmanager:GetSecretValue"], func(r string) bool { return strings.Contains(r, "MasterSecret") })
		if has := variables["PARLEY_SECRET_ARN"] != nil; has != opens {
			t.Errorf("%s: has the master secret's ARN: %v; may read it: %v", name, has, opens)
		}
		mayCall(t, name, variables, may["lambda:InvokeFunction"])
		mayPost(t, name, variables, may["execute-api:ManageConnections"])
		erases := name == "history" || name == "sweep"
		revokes := name == "operator" || name == "cossistant" // keys and operators; whose a visitor was
		posts := variables["PARLEY_SOCKETS"] != nil           // and takes connections away that are gone
		if items, objects := may["dynamodb:DeleteItem"] != nil, may["s3:DeleteObject"] != nil; items != (erases || revokes || posts) || objects != erases {
			t.Errorf("%s may delete items: %v, objects: %v", name, items, objects)
		}
		if answers := variables["PARLEY_AGENT"] != nil; answers != slices.Contains([]string{"chat", "hissuno", "respond", "review"}, name) {
			t.Errorf("%s asks a model: %v", name, answers)
		}
	}
}

// mayCall checks that a function may invoke those that its variables name.
func mayCall(t *testing.T, name string, variables node, may []string) {
	t.Helper()
	var want []string
	for variable, v := range variables {
		if strings.HasSuffix(variable, "_FUNCTION") {
			want = append(want, fmt.Sprintf("map[Fn::GetAtt:%v.Arn]", v.(node)["Ref"]))
		}
	}
	slices.Sort(want)
	slices.Sort(may)
	if !slices.Equal(may, want) {
		t.Errorf("%s may invoke %v, its variables name %v", name, may, want)
	}
}

// statements are those of a function's policies, its own and those that it shares, or of
// the role that it has instead.
func (n node) statements(f node) (all []node) {
	collect := func(v any) {
		if s, ok := v.(node); ok && s["Effect"] != nil {
			all = append(all, s)
		}
	}
	if role, ok := f.at("Properties", "Role", "Fn::GetAtt").(string); ok {
		each(n.at("Resources", strings.TrimSuffix(role, ".Arn"), "Properties", "Policies"), collect)
	}
	for _, policy := range f.list("Properties", "Policies") {
		if shared, ok := policy.(node)["Ref"].(string); ok {
			policy = n.at("Resources", shared, "Properties", "PolicyDocument")
		}
		each(policy, collect)
	}
	return all
}

// TestWhoMakesOperators: only operator may write what settings, operators and keys are
// kept under, and only consolews consoles' tickets besides; a function that visitors
// reach can make nobody an operator.
func TestWhoMakesOperators(t *testing.T) {
	template := load(t)
	kept := map[string]string{"settings": "shop/project", "a private key": "~/private/4f2a", "a public key": "~/public/pk_live_1", "a ticket": "~/ticket/4f2a",
		"where the sweep is": "~/sweep", "the consoles of a project": "shop/team"}
	may := map[string][]string{"operator": slices.Sorted(maps.Keys(kept)), "consolews": {"a ticket", "the consoles of a project"}, "sweep": {"where the sweep is"},
		"opencx": {"a private key"}, "cossistant": {"a private key"}} // its last use, which the attributes say
	for name, f := range template.functions() {
		var writes []string
		for what, key := range kept {
			for _, s := range template.statements(f) {
				actions := oneOrMore(s["Action"])
				if (slices.Contains(actions, any("dynamodb:PutItem")) || slices.Contains(actions, any("dynamodb:UpdateItem"))) && fits(s.in("Condition"), key) {
					writes = append(writes, what)
				}
			}
		}
		slices.Sort(writes)
		if writes = slices.Compact(writes); !slices.Equal(writes, may[name]) {
			t.Errorf("%s may write %q, want %q", name, writes, may[name])
		}
	}
	for _, name := range []string{"opencx", "cossistant"} {
		for _, s := range template.statements(template.functions()[name]) {
			if fits(s.in("Condition"), "~/private/4f2a") && slices.Contains(oneOrMore(s["Action"]), any("dynamodb:UpdateItem")) &&
				!reflect.DeepEqual(s.at("Condition", "ForAllValues:StringEquals", "dynamodb:Attributes"), []any{"pk", "sk", "used"}) {
				t.Errorf("%s may write into a private key what it wants: %v", name, s)
			}
		}
	}
}

// fits reports whether a condition lets somebody at the item with this partition key.
func fits(condition node, key string) bool {
	patterns, limited := condition.at("ForAllValues:StringLike", "dynamodb:LeadingKeys").([]any)
	return !limited || slices.ContainsFunc(patterns, func(p any) bool {
		return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(p.(string)), `\*`, ".*") + "$").MatchString(key)
	})
}

func oneOrMore(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

// TestMetricsOfOneStack: whoever writes metrics, and the alarm that reads one, use a
// namespace that no other stack of the account has.
func TestMetricsOfOneStack(t *testing.T) {
	template := load(t)
	want := node{"Fn::Sub": "Parley/${AWS::StackName}"}
	for name, f := range template.functions() {
		got := f.at("Properties", "Environment", "Variables", "PARLEY_METRICS")
		if writes := slices.Contains([]string{"feed", "hooks", "sweep"}, name); writes != (got != nil) || writes && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: PARLEY_METRICS = %v", name, got)
		}
	}
	for id, f := range template.ofType("AWS::Logs::MetricFilter") {
		for _, m := range f.list("Properties", "MetricTransformations") {
			if got := m.(node)["MetricNamespace"]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s counts in %v", id, got)
			}
		}
	}
}

func TestOutputs(t *testing.T) {
	template := load(t)
	shown := fmt.Sprint(template["Outputs"])
	for id, f := range template.ofType("AWS::Serverless::Function") {
		if f.at("Properties", "FunctionUrlConfig") != nil && !strings.Contains(shown, "Fn::GetAtt:"+id+"Url.FunctionUrl") {
			t.Errorf("no output for the URL of %s", id)
		}
	}
	for _, ref := range []string{"wss://${ConsoleSocket}", "https://${ChathubSocket}", "Ref:Failures]", "Ref:Table]", "Ref:Bucket]", "Ref:MasterSecret]", "${ServerlessHttpApi}"} {
		if !strings.Contains(shown, ref) {
			t.Errorf("no output for %s", ref)
		}
	}
}

// TestNoCircle: nothing needs what is made after it. A function's URL is made
// after the function, so none can name its own, nor two each other's. The routes
// of a WebSocket API are made after both, so its function can name it.
func TestNoCircle(t *testing.T) {
	template := load(t)
	needs := map[string][]string{}
	for id, r := range template.in("Resources") {
		if r.(node)["Type"] == "AWS::Serverless::WebSocketApi" {
			needs[id] = []string{}
			each(r, func(v any) { needs[id+"DefaultRoute"] = append(needs[id+"DefaultRoute"], references(v)...) })
			continue
		}
		each(r, func(v any) { needs[id] = append(needs[id], references(v)...) })
		if r.(node).at("Properties", "FunctionUrlConfig") != nil {
			needs[id+"Url"] = []string{id}
		}
	}
	known := func(id string) bool {
		_, parameter := template.in("Parameters")[id]
		return needs[id] != nil || parameter || template.in("Resources")[id] != nil || strings.HasPrefix(id, "AWS::")
	}
	var path []string
	done := map[string]bool{}
	var visit func(string)
	visit = func(id string) {
		if i := slices.Index(path, id); i >= 0 {
			t.Fatalf("a circle: %v", append(path[i:], id))
		}
		if done[id] {
			return
		}
		path = append(path, id)
		for _, next := range needs[id] {
			if !known(next) {
				t.Errorf("%s needs %s, which is not there", id, next)
			}
			visit(next)
		}
		path = path[:len(path)-1]
		done[id] = true
	}
	for id := range needs {
		visit(id)
	}
}

var substituted = regexp.MustCompile(`\$\{([\w:]+)`)

// references returns the ids that an intrinsic function names.
func references(v any) []string {
	n, ok := v.(node)
	if !ok {
		return nil
	}
	var ids []string
	if s, ok := n["Ref"].(string); ok {
		ids = append(ids, s)
	}
	if s, ok := n["Fn::GetAtt"].(string); ok {
		id, _, _ := strings.Cut(s, ".")
		ids = append(ids, id)
	}
	if s, ok := n["Fn::Sub"].(string); ok {
		for _, m := range substituted.FindAllStringSubmatch(s, -1) {
			ids = append(ids, m[1])
		}
	}
	return ids
}
