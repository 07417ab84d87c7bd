//! The OpenAPI file, made from the table of calls: `docs/openapi.json`.

use super::routes::{ApiAccess, ApiRow, ROWS};
use ribbit_state::Scope;
use serde_json::{Map, Value, json};

/// Returns the description of all calls in OpenAPI 3.1.
pub fn document() -> Value {
    let mut paths = Map::new();
    for row in ROWS {
        let path = paths.entry(row.path).or_insert_with(|| path_item(row.path));
        path[row.method.to_ascii_lowercase()] = operation(row);
    }
    let scopes: Map<String, Value> =
        Scope::ALL.iter().map(|scope| (scope.name().to_string(), json!(""))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ribbit",
            "description": "The part of the Mastodon client API that ribbit serves.",
            "version": ribbit_ui::api::instance::api_version(),
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "oauth2",
                    "flows": {
                        "authorizationCode": {
                            "authorizationUrl": "/oauth/authorize",
                            "tokenUrl": "/oauth/token",
                            "scopes": scopes,
                        },
                    },
                },
            },
            "responses": {
                "Error": {
                    "description": "The reason in words.",
                    "content": { "application/json": { "schema": {
                        "type": "object",
                        "required": ["error"],
                        "properties": {
                            "error": { "type": "string" },
                            "error_description": { "type": "string" },
                        },
                    } } },
                },
            },
        },
    })
}

/// Returns the part of a path that its calls share: its parameter.
fn path_item(path: &str) -> Value {
    let named = path.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(name, _)| name);
    match named {
        Some(name) => {
            json!({ "parameters": [{ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }] })
        }
        None => json!({}),
    }
}

fn operation(row: &ApiRow) -> Value {
    let scopes: Vec<&str> = row.scope.iter().map(|scope| scope.name()).collect();
    let mut operation = json!({
        "summary": row.words.trim(),
        "responses": { "200": { "description": "Done." }, "default": { "$ref": "#/components/responses/Error" } },
    });
    if row.access != ApiAccess::Anyone {
        operation["security"] = json!([{ "token": scopes }]);
    }
    if row.method != "GET" {
        let any = json!({ "schema": { "type": "object" } });
        let content = json!({ "application/json": any, "application/x-www-form-urlencoded": any });
        operation["requestBody"] = json!({ "content": content });
    }
    operation
}
