BEGIN;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE documents (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	collection TEXT NOT NULL, 
	media_type TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	sha256 TEXT NOT NULL, 
	status TEXT NOT NULL, 
	stage TEXT, 
	done INTEGER DEFAULT '0' NOT NULL, 
	total INTEGER DEFAULT '0' NOT NULL, 
	pages INTEGER, 
	passages INTEGER DEFAULT '0' NOT NULL, 
	error_code TEXT, 
	error_detail TEXT, 
	is_replacement BOOLEAN DEFAULT '0' NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	not_before DOUBLE DEFAULT '0' NOT NULL, 
	lease_owner TEXT, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, personal_data TEXT, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_documents_collection_sha256 UNIQUE (collection, sha256)
);
CREATE TABLE pages (
	document_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	number INTEGER, 
	text TEXT NOT NULL, 
	PRIMARY KEY (document_id, position), 
	FOREIGN KEY(document_id) REFERENCES documents (id) ON DELETE CASCADE
);
CREATE TABLE passages (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	document_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	page_position INTEGER NOT NULL, 
	page INTEGER, 
	section TEXT, 
	context TEXT DEFAULT '' NOT NULL, 
	text TEXT NOT NULL, 
	start_char INTEGER NOT NULL, 
	end_char INTEGER NOT NULL, 
	vector_key TEXT NOT NULL, 
	vector BLOB NOT NULL, 
	revision BIGINT NOT NULL, 
	FOREIGN KEY(document_id) REFERENCES documents (id) ON DELETE CASCADE
);
CREATE VIRTUAL TABLE passage_stems USING fts5(stems, tokenize = "unicode61 remove_diacritics 0 tokenchars '-./_'");
CREATE TABLE removals (
	passage_id INTEGER NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (passage_id)
);
CREATE TABLE index_state (
	id INTEGER NOT NULL, 
	revision BIGINT NOT NULL, 
	generation INTEGER NOT NULL, 
	index_revision BIGINT NOT NULL, 
	fingerprint TEXT, terms INTEGER DEFAULT '0' NOT NULL, clean_revision BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE api_keys (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	revoked_at DOUBLE, expires_at DOUBLE, speaks_for_users BOOLEAN DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (sha256)
);
CREATE TABLE feedback (
	id TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	verdict TEXT NOT NULL, 
	question TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	comment TEXT DEFAULT '' NOT NULL, 
	document_ids TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY (id)
);
CREATE VIRTUAL TABLE passage_stems_vocab USING fts5vocab(passage_stems, row);
CREATE TABLE passage_sentences (
	passage_id INTEGER NOT NULL, 
	vectors BLOB NOT NULL, 
	PRIMARY KEY (passage_id), 
	FOREIGN KEY(passage_id) REFERENCES passages (id) ON DELETE CASCADE
);
CREATE TABLE users (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	blocked_at DOUBLE, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE TABLE groups (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE TABLE memberships (
	user_id TEXT NOT NULL, 
	group_id TEXT NOT NULL, 
	PRIMARY KEY (user_id, group_id), 
	FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE CASCADE
);
CREATE TABLE grants (
	id TEXT NOT NULL, 
	subject_kind TEXT NOT NULL, 
	subject_id TEXT NOT NULL, 
	object_kind TEXT NOT NULL, 
	object TEXT NOT NULL, 
	role TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_grants_subject_object UNIQUE (subject_kind, subject_id, object_kind, object)
);
CREATE TABLE audit (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DOUBLE NOT NULL, 
	principal TEXT NOT NULL, 
	action TEXT NOT NULL, 
	object TEXT DEFAULT '' NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	address TEXT DEFAULT '' NOT NULL
);
CREATE TABLE collection_policies (
	collection TEXT NOT NULL, 
	personal_data TEXT NOT NULL, 
	changed_at DOUBLE NOT NULL, 
	PRIMARY KEY (collection)
);
INSERT INTO alembic_version (version_num) VALUES ('0006');
INSERT INTO documents (id, name, collection, media_type, size_bytes, sha256, status, stage, done, total, pages, passages, error_code, error_detail, is_replacement, attempts, not_before, lease_owner, created_at, updated_at, personal_data) VALUES ('01a21147-0840-71da-b63f-375039019ed7', 'отпуск.txt', 'кадры', 'text/plain', 145, 'f2de09294b9449b83e72c35ba2b61be55a53b2801813e42ff4d1e76f063bd4a3', 'ready', NULL, 0, 0, 1, 2, NULL, NULL, 0, 1, 0.0, NULL, 1780000000.0, 1780000000.0, NULL);
INSERT INTO documents (id, name, collection, media_type, size_bytes, sha256, status, stage, done, total, pages, passages, error_code, error_detail, is_replacement, attempts, not_before, lease_owner, created_at, updated_at, personal_data) VALUES ('01a21147-08a4-74db-9512-403269c11e3f', 'командировка.txt', 'default', 'text/plain', 87, '324eed0158231090e80d9466ef76f9f99a25861cacbde5b368223726df6ae143', 'ready', NULL, 0, 0, 1, 1, NULL, NULL, 0, 1, 0.0, NULL, 1780000001.0, 1780000001.0, NULL);
INSERT INTO documents (id, name, collection, media_type, size_bytes, sha256, status, stage, done, total, pages, passages, error_code, error_detail, is_replacement, attempts, not_before, lease_owner, created_at, updated_at, personal_data) VALUES ('01a21147-08ce-776d-a676-c94696caf060', 'склад.txt', 'default', 'text/plain', 65, '032e9a99792c74e8d0245bd249067963a87320b381964116fd94cb8c3fe40f81', 'partial', NULL, 0, 0, 1, 1, 'pages_without_text', 'Страница 2 не дала текста.', 0, 1, 0.0, NULL, 1780000002.0, 1780000002.0, NULL);
INSERT INTO documents (id, name, collection, media_type, size_bytes, sha256, status, stage, done, total, pages, passages, error_code, error_detail, is_replacement, attempts, not_before, lease_owner, created_at, updated_at, personal_data) VALUES ('01a21147-0934-7517-ba81-8a70762813b9', 'обрабатывается.txt', 'default', 'text/plain', 32, '03cef9c0b083c82688b82c807a4dda8c306b9921781169c97ce6403a6987256a', 'parsing', NULL, 0, 0, NULL, 0, NULL, NULL, 0, 1, 0.0, 'worker-1', 1780000006.0, 1780000008.0, NULL);
INSERT INTO documents (id, name, collection, media_type, size_bytes, sha256, status, stage, done, total, pages, passages, error_code, error_detail, is_replacement, attempts, not_before, lease_owner, created_at, updated_at, personal_data) VALUES ('01a21147-093b-7220-ac9e-de28c937efe3', 'повреждённый.txt', 'default', 'text/plain', 28, '96ade37f2da37f891542fc16a64b2932d9681389d4caaab8eedbb984d6cd9a3a', 'failed', NULL, 0, 0, NULL, 0, 'unreadable', 'Файл повреждён.', 0, 1, 0.0, NULL, 1780000007.0, 1780000009.0, NULL);
INSERT INTO documents (id, name, collection, media_type, size_bytes, sha256, status, stage, done, total, pages, passages, error_code, error_detail, is_replacement, attempts, not_before, lease_owner, created_at, updated_at, personal_data) VALUES ('01a21147-094e-77ef-97ef-90b793d2deef', 'ждёт.txt', 'default', 'text/plain', 12, 'ed53e90170506ec196cc6f2600d22b18b776ed6f7bec7722146aae2e91f0d217', 'queued', NULL, 0, 0, NULL, 0, NULL, NULL, 0, 0, 0.0, NULL, 1780000010.0, 1780000010.0, NULL);
INSERT INTO pages (document_id, position, number, text) VALUES ('01a21147-0840-71da-b63f-375039019ed7', 0, 1, 'Отпуск составляет 28 календарных дней.
Заявление на отпуск подают за две недели.');
INSERT INTO pages (document_id, position, number, text) VALUES ('01a21147-08a4-74db-9512-403269c11e3f', 0, 1, 'Суточные в командировке выплачиваются авансом.');
INSERT INTO pages (document_id, position, number, text) VALUES ('01a21147-08ce-776d-a676-c94696caf060', 0, 1, 'Товар на склад принимает кладовщик.');
INSERT INTO passages (id, document_id, position, page_position, page, section, context, text, start_char, end_char, vector_key, vector, revision) VALUES (1, '01a21147-0840-71da-b63f-375039019ed7', 0, 0, 1, NULL, '', 'Отпуск составляет 28 календарных дней.', 0, 38, 'd42bff801545fc665fb5de0906d2e582a92c3e2e60075e2f7a05fb229ba56cf8', X'1A1B8EBCDAD013BE74A21BBD9E1EA6BC7DED5C3D82271B3D4F3989BDE738D23CD11449BEC182F33D7EF5BCBDD8E7C1BDFDA0B13CAF58043EAC6F10BEAA7AF8BC259625BEB55E9ABD9FB855BEFCAB47BC6DDF9B3DA24AC6BC4B07913DB294AF3D9350D5BDA2756DBE690E453EF9DCA2BD2A91103CCDBE733E954DB33D0702E13DFB46313E5E962ABE9E9547BD9304C53C29EB623E9968BD3D0AD952BDC2A577BE70B32C3EDB1DCCBD1BC9BC3D56A83D3DDF081B3E2050A43D90913E3EDCFE083E7FDC513D2B3C6CBDA414323E648CE33D722E003D6C73BBBD7F7C3ABD8556643E5C8F9B3D4F13833EFCC8773DEFE8023E2892AB3DAD0116BDA96360BEDD21E8BD', 1);
INSERT INTO passages (id, document_id, position, page_position, page, section, context, text, start_char, end_char, vector_key, vector, revision) VALUES (2, '01a21147-0840-71da-b63f-375039019ed7', 1, 0, 1, NULL, '', 'Заявление на отпуск подают за две недели.', 0, 41, 'b3e084de6177a7bb5675cc5f4a779832da68e8246f3357656df46a662d64a1d7', X'E818DCBD599816BD32CF75BCDBF94E3DBE6C9BBCEA45B83D7934B2BCA568E13D63F41CBD46E6AD3C7E37E03DC2C80DBEC16092BD8DB80EBEC777533D9245403DA7E722BE09FAC8BCC38A85BC5D94A8BC36A30A3DFB32973D398333BDD76ECCBDF7A5133EBE1FA9BD2294663EA02F333E3ED760BD04109DBDD915763ECEEC1C3EBAD3703C52C3C4BDC213F63D6D8F1B3E6242633E947AF5BD5BDF17BDBE9561BE6EFCA5BD0CECE1BD85AC213E3FA8D5BCE5CD9B3D97E1923E35B39C3D22E1EE3D13DA19BE503689BD8510873E59E0A23DB889153E4C82E13B47865B3C4A9071BE5EEA1B3E794A4BBD05216E3E9582563E9B6B7DBC914A33BE319EAFBDFAA7413D', 1);
INSERT INTO passages (id, document_id, position, page_position, page, section, context, text, start_char, end_char, vector_key, vector, revision) VALUES (3, '01a21147-08a4-74db-9512-403269c11e3f', 0, 0, 1, NULL, '', 'Суточные в командировке выплачиваются авансом.', 0, 46, '033e51a4b678f562eb2555a64c0bfa3d5aa0972bce4383255e28e44c41e5f45d', X'4B78013E9787EF3D7C0D2B3E9A68373E72AD8DBDBD000ABE1A300DBD5F6E0ABE31C4703DF093663DF04C5F3E698D03BE538560BC1895D3BD357B0ABEA877C13D81D47FBD3B67373D965853BEE0356C3E11D71B3E2702ADBD5025B8BD858B7B3DD458B93D59B6DABD0F798DBCBD11F63DE3321D3EEA169DBD8F950EBC817C063DF9216A3E28BC463E9F63B2BD871C10BEE159393B27122EBE25E2673D478225BEA709E63DB54CA7BC8435503EB87FB63D0CFB8A3DAF96A3BD817708BEA6E79E3E93BCDBBDC884A7BDC28EB5BD93EF84BD594C8DBC610AFCBCF60E383DF671FABA24E736BC733A853D1CAB36BD75B0B0BEED2AD9BC2736403DC5BE203EA771F5BC', 2);
INSERT INTO passages (id, document_id, position, page_position, page, section, context, text, start_char, end_char, vector_key, vector, revision) VALUES (4, '01a21147-08ce-776d-a676-c94696caf060', 0, 0, 1, NULL, '', 'Товар на склад принимает кладовщик.', 0, 35, 'ea300f624789e90bf0803f72b83af92077ec6c125f843f07707307361e3fc8b5', X'BDAB1F3EAEA903BE6B96F23C0124783E4638DD3D2E9C093E31C9303E037513BE2ABA84BD93996DBD411C2B3EC7469F3EA013803D96AD3EBE843ACEBD55E1B33BDD35393EA52BDA3DE03A30BEFF9B503BF6AF61BE9B7EAABE12B6E0BC33B7353DAF6F6FBD611EA6BD622A3DBD0810E9BC1E5EDFBD63AB2C3EC969D73D1D48D0BCE9F0F83DDE250E3E7BD3AC3C5C11AE3B647122BE404CA5BD1E23AC3C529BAB3DFEBD45BE8C7AE3BDDFC5E33D9DFC923D578BEC3D6223AA3B9446CC3D6547E7BDB6C0023E576646BEFA4DF63DA63F91BC523D023EEF77E23C24620DBDBBAF38387CC1D03C2773DE3DC8AEB23DF0A2943DBEB64F3D43E5FC3DB644233E0FF3933D', 3);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence (name, seq) VALUES ('passages', 5);
INSERT INTO sqlite_sequence (name, seq) VALUES ('audit', 1);
INSERT INTO passage_stems (rowid, stems) VALUES (1, 'отпус
отпус соста 28 кален дне');
INSERT INTO passage_stems (rowid, stems) VALUES (2, 'отпус
заявл отпус пода две недел');
INSERT INTO passage_stems (rowid, stems) VALUES (3, 'коман
суточ коман выпла аванс');
INSERT INTO passage_stems (rowid, stems) VALUES (4, 'склад
товар склад прини кладо');
INSERT INTO removals (passage_id, revision) VALUES (5, 5);
INSERT INTO index_state (id, revision, generation, index_revision, fingerprint, terms, clean_revision) VALUES (1, 5, 1, 4, 'words', 2, 0);
INSERT INTO api_keys (id, name, sha256, created_at, revoked_at, expires_at, speaks_for_users) VALUES ('01a21147-0955-773e-90e2-01bcf8c62d9d', 'кадровик', 'da15fe3f9f3cda6d5ea0c58056bb6f795ace55c9bc4bcc5814a0714fc2de3dfc', 1780000000.0, NULL, NULL, 0);
INSERT INTO api_keys (id, name, sha256, created_at, revoked_at, expires_at, speaks_for_users) VALUES ('01a21147-095a-7490-91cf-b0a797a005ea', 'прежний', '21bc125ce876fbcbdef412e8c0321439ae665288f7a55f5ea9419c00cbf4b77e', 1780000000.0, NULL, NULL, 0);
INSERT INTO api_keys (id, name, sha256, created_at, revoked_at, expires_at, speaks_for_users) VALUES ('01a21147-0962-7280-99fd-bf70e2c09de0', 'отозванный', 'a8c1a8cf2d78c8132e8d2ebd60a2a9f146265a2db8053ce8116648160d2114b1', 1780000000.0, 1780000001.0, NULL, 0);
INSERT INTO feedback (id, principal, verdict, question, answer, comment, document_ids, created_at) VALUES ('01a21147-0972-72fa-a9a7-e624df1eafc5', 'frozen', 'up', 'Сколько дней отпуск?', '28 календарных дней [1].', 'спасибо', '["d"]', 1780000000.0);
INSERT INTO passage_sentences (passage_id, vectors) VALUES (1, X'F7B8EDF61B13DF0D9F3BD2D10B40BAF1B0DB98FA26F4232BCC8D5FD904762B3756ADE80C6E2EE68854CF2E174B285C4219E3563710D3E96F267F1E3F2AEE93C8');
INSERT INTO passage_sentences (passage_id, vectors) VALUES (2, X'D0F0F916F828F631EF0930C3E0C21715BAF5F9F70F21EDD440DB644DE8DE6A4407D5354362CBF09EDCCF46F4227F2234BDE275234103069843EA675DF9B2DA15');
INSERT INTO passage_sentences (passage_id, vectors) VALUES (3, X'2F2B3D42E7CEF3CE161550D1FBDACE23E910B45538E1DF1721D9FA2C38E4FD0C5447E0CC01C115C529F84B2119E3CF72D9E2DFE8FAF511FFFC18F081F6113AF5');
INSERT INTO passage_sentences (passage_id, vectors) VALUES (4, X'3BCF0B5C293342C9E7EA407718B9DA024529BE01AC81F611EAE1EEF5D64028F62E350802C3E10820B6D62A1B2C0226D531B62EF9310BF3000A29211C132F3D1C');
INSERT INTO users (id, name, created_at, blocked_at) VALUES ('01a21147-0982-71e6-bd14-46a16daf1bee', 'иванов', 1780000000.0, NULL);
INSERT INTO groups (id, name, created_at) VALUES ('01a21147-0983-7742-ac2f-e491fdd79307', 'бухгалтерия', 1780000000.0);
INSERT INTO memberships (user_id, group_id) VALUES ('01a21147-0982-71e6-bd14-46a16daf1bee', '01a21147-0983-7742-ac2f-e491fdd79307');
INSERT INTO grants (id, subject_kind, subject_id, object_kind, object, role, created_at) VALUES ('01a21147-0955-773e-90e2-01bda66a156e', 'key', '01a21147-0955-773e-90e2-01bcf8c62d9d', 'collection', 'кадры', 'editor', 1780000000.0);
INSERT INTO grants (id, subject_kind, subject_id, object_kind, object, role, created_at) VALUES ('01a21147-0962-7280-99fd-bf6fb37b3325', 'key', '01a21147-095a-7490-91cf-b0a797a005ea', 'everything', '', 'editor', 1780000000.0);
INSERT INTO grants (id, subject_kind, subject_id, object_kind, object, role, created_at) VALUES ('01a21147-0962-7280-99fd-bf7163e11d5b', 'key', '01a21147-0962-7280-99fd-bf70e2c09de0', 'everything', '', 'editor', 1780000000.0);
INSERT INTO grants (id, subject_kind, subject_id, object_kind, object, role, created_at) VALUES ('01a21147-0984-7160-b2ac-d43d02c236cf', 'group', '01a21147-0983-7742-ac2f-e491fdd79307', 'collection', 'кадры', 'reader', 1780000000.0);
INSERT INTO grants (id, subject_kind, subject_id, object_kind, object, role, created_at) VALUES ('01a21147-098f-73ce-b681-1a5273acc6c8', 'user', '01a21147-0982-71e6-bd14-46a16daf1bee', 'document', '01a21147-08ce-776d-a676-c94696caf060', 'reader', 1780000000.0);
INSERT INTO audit (id, at, principal, action, object, detail, address) VALUES (1, 1780000000.0, 'console:root', 'user_added', 'иванов', '', '127.0.0.1');
INSERT INTO collection_policies (collection, personal_data, changed_at) VALUES ('кадры', 'mask', 1780000000.0);
CREATE INDEX ix_documents_status ON documents (status, attempts, created_at);
CREATE INDEX ix_documents_collection_name ON documents (collection, name);
CREATE INDEX ix_documents_sha256 ON documents (sha256);
CREATE INDEX ix_passages_document_id ON passages (document_id);
CREATE INDEX ix_passages_vector_key ON passages (vector_key);
CREATE INDEX ix_passages_revision ON passages (revision);
CREATE INDEX ix_removals_revision ON removals (revision);
CREATE INDEX ix_memberships_group_id ON memberships (group_id);
CREATE INDEX ix_grants_object ON grants (object_kind, object);
CREATE INDEX ix_audit_at ON audit (at);
CREATE TRIGGER audit_refuses_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_refuses_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE INDEX ix_audit_pruned ON audit (object) WHERE action = 'audit_pruned';
CREATE TRIGGER audit_refuses_delete BEFORE DELETE ON audit WHEN NOT strftime('%Y-%m-%dT%H:%M:%SZ', OLD.at, 'unixepoch') < coalesce((SELECT max(object) FROM audit WHERE action = 'audit_pruned'), '') BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
COMMIT;
