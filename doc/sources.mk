# The manual, and the description of the tool's JSON.
dist_doc_DATA = doc/certdeploy.schema.json
