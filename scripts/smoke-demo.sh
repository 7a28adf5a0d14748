#!/usr/bin/env bash
# Plays the README's story against a running server: two users, an organisation each, projects,
# a member, an API key, a request that is repeated, the audit, and what is refused. Needs bash and
# curl. Prints no password, no token and no key.
#
#   SAAS_API_DEMO_BASE_URL  where the server is (default http://127.0.0.1:8000)
#   SAAS_API_METRICS_TOKEN  what /metrics asks for, where it is set for the server
#   SAAS_API_DEMO_RUN_ID    makes emails and names unique (default: the time and the process id)
#
# Exit status: 0 if every answer was as expected; else 1, at the first one that was not.
set -euo pipefail

base=${SAAS_API_DEMO_BASE_URL:-http://127.0.0.1:8000}
base=${base%/}
run=${SAAS_API_DEMO_RUN_ID:-$(date +%s)-$$}
password="demo-$RANDOM-$RANDOM-$RANDOM-$RANDOM-$RANDOM"
steps=0
token= # whose request it is; empty: nobody's
key=   # the Idempotency-Key of the next requests; empty: none
body=  # of the last answer

# step EXPECTED SENTENCE METHOD PATH [JSON]
# EXPECTED is a status, or a status and what the body must contain, spaces aside: 409:last-owner
# Token and body reach curl through file descriptors, so that `ps` does not show them.
step() {
    local expected=$1 sentence=$2 method=$3 path=$4 answer status contents
    local -a arguments=(--silent --show-error --max-time 30 --request "$method")
    contents=${expected#"${expected%%:*}"}
    contents=${contents#:}
    if [ $# -ge 5 ]; then
        answer=$(curl "${arguments[@]}" --header @<(header) --data-binary @<(printf '%s' "$5") \
            --write-out '\n%{http_code}' "$base$path") || gone
    else
        answer=$(curl "${arguments[@]}" --header @<(header) \
            --write-out '\n%{http_code}' "$base$path") || gone
    fi
    status=${answer##*$'\n'}
    body=${answer%$'\n'*}
    steps=$((steps + 1))
    if [ "$status" != "${expected%%:*}" ] || [[ ${body// /} != *"${contents// /}"* ]]; then
        printf 'FAIL %s  %s\n' "$status" "$sentence"
        printf 'expected %s at %s %s; problem: %s\n' "$expected" "$method" "$path" "$(field type)" >&2
        exit 1
    fi
    printf 'ok   %s  %s\n' "$status" "$sentence"
}

header() {
    printf 'Content-Type: application/json\n'
    if [ -n "$token" ]; then
        printf 'Authorization: Bearer %s\n' "$token"
    fi
    if [ -n "$key" ]; then
        printf 'Idempotency-Key: %s\n' "$key"
    fi
}

gone() {
    printf 'no answer from %s: is it running? (make serve)\n' "$base" >&2
    exit 1
}

# field NAME: the first string of that name in the last body
field() {
    if [[ $body =~ \"$1\":\ *\"([^\"]*)\" ]]; then
        printf '%s' "${BASH_REMATCH[1]}"
    fi
}

login() { printf '{"email": "%s", "password": "%s"}' "$1" "$2"; }

printf 'against %s, run %s\n' "$base" "$run"
ada="ada-$run@example.com"
grace="grace-$run@example.com"

step 200 'the server is ready' GET /readyz
step 401 'nobody is nobody' GET /me

step 201 'Ada registers' POST /auth/register \
    "{\"email\": \"$ada\", \"password\": \"$password\", \"display_name\": \"Ada\"}"
step 409:email-taken 'her email is taken now' POST /auth/register "$(login "$ada" "$password")"
step 401 'a wrong password opens nothing' POST /auth/login "$(login "$ada" 'not her password')"
step 200:access_token 'Ada logs in' POST /auth/login "$(login "$ada" "$password")"
token_ada=$(field access_token)

step 201 'Grace registers' POST /auth/register "$(login "$grace" "$password")"
step 200:access_token 'Grace logs in' POST /auth/login "$(login "$grace" "$password")"
token_grace=$(field access_token)

token=$token_ada
step 200:"$ada" 'Ada is Ada' GET /me
id_ada=$(field user_id)
step 201 'Ada founds Acme' POST /orgs "{\"name\": \"Acme $run\"}"
acme=$(field organisation_id)
step 201 'she starts a project, Apollo' POST "/orgs/$acme/projects" '{"name": "Apollo"}'
apollo=$(field project_id)
step 201 'and another, Gemini' POST "/orgs/$acme/projects" \
    '{"name": "Gemini", "description": "Two by two", "status": "archived"}'
gemini=$(field project_id)
step 200:Apollo 'she finds Apollo by a part of its name' GET "/orgs/$acme/projects?name=POLL"
step 422:/name 'a project without a name is refused' POST "/orgs/$acme/projects" '{}'

token=$token_grace
step 201 'Grace founds Globex' POST /orgs "{\"name\": \"Globex $run\"}"
globex=$(field organisation_id)
step 404 'Acme is not there for Grace' GET "/orgs/$acme"
step 404 'nor are its projects' GET "/orgs/$acme/projects"
step 404 'nor is Apollo, whose id she knows' GET "/orgs/$acme/projects/$apollo"
step 404 'not through Globex either' GET "/orgs/$globex/projects/$apollo"
step 404 'nor can she write there' POST "/orgs/$acme/projects" '{"name": "Trojan"}'
step 200:'"total":0' 'her own list is empty' GET "/orgs/$globex/projects"
step 200 'who is she?' GET /me
id_grace=$(field user_id)

token=$token_ada
step 201:viewer 'Ada makes Grace a viewer of Acme' POST "/orgs/$acme/members" \
    "{\"email\": \"$grace\", \"role\": \"viewer\"}"
step 409:member-exists 'once is enough' POST "/orgs/$acme/members" \
    "{\"email\": \"$grace\", \"role\": \"viewer\"}"

token=$token_grace
step 200:Apollo 'now Grace reads Apollo, with the token she had' GET "/orgs/$acme/projects/$apollo"
step 403 'a viewer does not write' PATCH "/orgs/$acme/projects/$apollo" '{"name": "Artemis"}'
step 403 'nor see who else is a member' GET "/orgs/$acme/members"

token=$token_ada
step 200:'"role":"member"' 'Ada makes her a member' PATCH "/orgs/$acme/members/$id_grace" '{"role": "member"}'
token=$token_grace
step 200:Artemis 'a member writes' PATCH "/orgs/$acme/projects/$apollo" '{"name": "Artemis"}'

token=$token_ada
step 409:last-owner 'Ada cannot leave Acme without an owner' DELETE "/orgs/$acme/members/$id_ada"
step 409:last-owner 'nor step down' PATCH "/orgs/$acme/members/$id_ada" '{"role": "admin"}'
step 204 'she removes Grace' DELETE "/orgs/$acme/members/$id_grace"
token=$token_grace
step 404 'and for Grace Acme is gone at once' GET "/orgs/$acme"

token=$token_ada
step 201:raw_key 'Ada makes an API key, shown this once' POST "/orgs/$acme/api-keys" '{"name": "ci"}'
api_key=$(field api_key_id)
raw_key=$(field raw_key)
token=$raw_key
step 200:Artemis 'the key reads projects' GET "/orgs/$acme/projects"
step 403 'but not the audit' GET "/orgs/$acme/audit-events"
step 404 'and nothing of Globex' GET "/orgs/$globex/projects"
key="demo-$run"
step 201:Mercury 'it starts Mercury, under an idempotency key' POST "/orgs/$acme/projects" \
    '{"name": "Mercury"}'
mercury=$(field project_id)
step 201:"$mercury" 'repeated, that is the same Mercury' POST "/orgs/$acme/projects" \
    '{"name": "Mercury"}'
step 409:idempotency-key-reused 'with another body it is refused' POST "/orgs/$acme/projects" \
    '{"name": "Venus"}'
key=
step 200:'"total":1' 'there is one Mercury' GET "/orgs/$acme/projects?name=mercury"
token=$token_ada
step 204 'Ada revokes the key' DELETE "/orgs/$acme/api-keys/$api_key"
token=$raw_key
step 401 'it is dead at once' GET "/orgs/$acme/projects"

token=$token_ada
step 200:api_key.revoked 'the audit has seen it' GET "/orgs/$acme/audit-events?action=api_key.revoked"
step 200:"$mercury" 'and who started Mercury' GET \
    "/orgs/$acme/audit-events?action=project.created&target_id=$mercury"
token=$token_grace
step 404 'Grace reads nothing of it' GET "/orgs/$acme/audit-events"

token=${SAAS_API_METRICS_TOKEN:-}
step 200:saas_api_idempotency_replays_total 'the metrics count' GET /metrics

token=$token_ada
step 204 'Ada deletes Gemini' DELETE "/orgs/$acme/projects/$gemini"
step 404 'it is gone' GET "/orgs/$acme/projects/$gemini"

printf 'all %d answers as expected\n' "$steps"
