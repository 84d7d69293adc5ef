-- A store as scalectl wrote it at version 8: a study whose runs are done, two imported runs, and the books of a launch.
BEGIN TRANSACTION;
CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	job TEXT NOT NULL, 
	job_kind TEXT DEFAULT 'trunk' NOT NULL, 
	slot TEXT NOT NULL, 
	slot_type TEXT DEFAULT 'cpu' NOT NULL, 
	host TEXT DEFAULT '' NOT NULL, 
	pid INTEGER, 
	device TEXT DEFAULT '' NOT NULL, 
	versions TEXT DEFAULT '' NOT NULL, 
	revision TEXT DEFAULT '' NOT NULL, 
	started DATETIME NOT NULL, 
	ended DATETIME, 
	state TEXT NOT NULL, 
	kind TEXT DEFAULT '' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	first_step INTEGER, 
	step INTEGER, 
	flops FLOAT, 
	device_seconds FLOAT, 
	compile_seconds FLOAT, 
	compilations INTEGER, 
	PRIMARY KEY (id), 
	FOREIGN KEY(job) REFERENCES jobs (id)
);
INSERT INTO "attempts" VALUES(1,'0b56c521d4fc-0-16','trunk','here','cpu','node-37',4242,'cpu','{"jax": "0.10.2"}','3132b817a67d15abd7c41475d79ee505502eaad3','2026-11-29 11:49:31.423072','2026-11-29 11:49:31.447165','done','','',0,16,10042368.0,4.0,1.5,1);
INSERT INTO "attempts" VALUES(2,'0b56c521d4fc-16-32','trunk','here','cpu','node-37',4242,'cpu','{"jax": "0.10.2"}','3132b817a67d15abd7c41475d79ee505502eaad3','2026-11-29 11:49:31.462530','2026-11-29 11:49:31.476657','done','','',16,32,10042368.0,4.0,1.5,1);
INSERT INTO "attempts" VALUES(3,'e4290c2e2b7c','cooldown','here','cpu','node-37',4242,'cpu','{"jax": "0.10.2"}','3132b817a67d15abd7c41475d79ee505502eaad3','2026-11-29 11:49:31.484427','2026-11-29 11:49:31.508902','done','','',16,20,2510592.0,1.0,1.5,1);
INSERT INTO "attempts" VALUES(4,'af69fe7c5d8f','cooldown','here','cpu','node-37',4242,'cpu','{"jax": "0.10.2"}','3132b817a67d15abd7c41475d79ee505502eaad3','2026-11-29 11:49:31.525545','2026-11-29 11:49:31.542704','done','','',32,40,5021184.0,2.0,1.5,1);
CREATE TABLE checkpoints (
	path TEXT NOT NULL, 
	job TEXT NOT NULL, 
	trunk INTEGER NOT NULL, 
	run INTEGER, 
	step INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	kept BOOLEAN NOT NULL, 
	device_seconds FLOAT, 
	PRIMARY KEY (path), 
	FOREIGN KEY(job) REFERENCES jobs (id), 
	FOREIGN KEY(trunk) REFERENCES trunks (number), 
	FOREIGN KEY(run) REFERENCES runs (number)
);
INSERT INTO "checkpoints" VALUES('/home/scalectl/study/artifacts/trunks/0b56c521d4fc/16/16','0b56c521d4fc-0-16',1,NULL,16,'0000000000000000000000000000000000000000000000000000000000000010',1,4.0);
INSERT INTO "checkpoints" VALUES('/home/scalectl/study/artifacts/trunks/0b56c521d4fc/32/32','0b56c521d4fc-16-32',1,NULL,32,'0000000000000000000000000000000000000000000000000000000000000020',1,8.0);
INSERT INTO "checkpoints" VALUES('/home/scalectl/study/artifacts/runs/e4290c2e2b7c/20','e4290c2e2b7c',1,1,20,'0000000000000000000000000000000000000000000000000000000000000014',1,5.0);
INSERT INTO "checkpoints" VALUES('/home/scalectl/study/artifacts/runs/af69fe7c5d8f/40','af69fe7c5d8f',1,2,40,'0000000000000000000000000000000000000000000000000000000000000028',1,10.0);
CREATE TABLE events (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	what TEXT NOT NULL, 
	run INTEGER, 
	job TEXT, 
	text TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (number), 
	FOREIGN KEY(job) REFERENCES jobs (id)
);
INSERT INTO "events" VALUES(1,'2026-11-29 11:49:31.385921','planned',NULL,NULL,'small: 2 of 2 runs are missing');
INSERT INTO "events" VALUES(2,'2026-11-29 11:49:31.515828','done',1,'e4290c2e2b7c','pico-60-20 cooldown');
INSERT INTO "events" VALUES(3,'2026-11-29 11:49:31.548441','done',2,'af69fe7c5d8f','pico-60-40 cooldown');
INSERT INTO "events" VALUES(4,'2026-11-29 11:49:33.685788','imported',NULL,NULL,'2 runs of others.csv, 2 of them new');
CREATE TABLE exclusions (
	run INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (run), 
	FOREIGN KEY(run) REFERENCES runs (number)
);
CREATE TABLE fits (
	name TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	law TEXT DEFAULT '' NOT NULL, 
	metric TEXT DEFAULT '' NOT NULL, 
	compute TEXT DEFAULT '' NOT NULL, 
	unit TEXT DEFAULT '' NOT NULL, 
	scale FLOAT, 
	"offset" FLOAT, 
	exponent FLOAT, 
	floor FLOAT, 
	document TEXT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE imported (
	run INTEGER NOT NULL, 
	metric INTEGER NOT NULL, 
	value FLOAT, 
	test_images INTEGER, 
	PRIMARY KEY (run, metric), 
	FOREIGN KEY(run) REFERENCES imports (number), 
	FOREIGN KEY(metric) REFERENCES metrics (id)
)
 WITHOUT ROWID

;
INSERT INTO "imported" VALUES(1,4,0.37,NULL);
INSERT INTO "imported" VALUES(2,4,0.25,NULL);
CREATE TABLE imports (
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	study TEXT NOT NULL, 
	origin TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	excluded BOOLEAN DEFAULT '0' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	model TEXT, 
	width INTEGER, 
	depth INTEGER, 
	mlp_dim INTEGER, 
	num_heads INTEGER, 
	patch_size INTEGER, 
	head TEXT, 
	params INTEGER, 
	flops_per_image INTEGER, 
	data_name TEXT, 
	source TEXT, 
	data_size INTEGER, 
	held_out INTEGER, 
	subset_seed INTEGER, 
	shift INTEGER, 
	image_size INTEGER, 
	channels INTEGER, 
	num_classes INTEGER, 
	stratified BOOLEAN, 
	crop BOOLEAN, 
	flip BOOLEAN, 
	resize INTEGER, 
	content TEXT, 
	test_content TEXT, 
	orientation TEXT, 
	background TEXT, 
	levels TEXT, 
	black FLOAT, 
	white FLOAT, 
	batch_size INTEGER, 
	precision TEXT, 
	positions TEXT, 
	layers TEXT, 
	remat TEXT, 
	microbatch INTEGER, 
	head_bias FLOAT, 
	loss TEXT, 
	optimizer TEXT, 
	lr FLOAT, 
	clip_norm FLOAT, 
	weight_decay_head FLOAT, 
	weight_decay_body FLOAT, 
	schedule TEXT, 
	warmup INTEGER, 
	timescale INTEGER, 
	seed INTEGER, 
	steps INTEGER, 
	cooldown INTEGER, 
	images_seen INTEGER, 
	flops FLOAT, 
	marginal_flops FLOAT, 
	device_seconds FLOAT, 
	core_days FLOAT, 
	labels TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "imports" VALUES(1,'0ee4f10880fb','a','others','others.csv','2026-11-29 11:49:33.670225',0,'','a',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1000000000.0,NULL,NULL,NULL,'{}');
INSERT INTO "imports" VALUES(2,'c721fe77113c','b-s1','others','others.csv','2026-11-29 11:49:33.670225',0,'','b-s1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,4000000000.0,NULL,NULL,NULL,'{}');
CREATE TABLE jobs (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	study INTEGER NOT NULL, 
	trunk INTEGER NOT NULL, 
	run INTEGER, 
	kind TEXT DEFAULT 'trunk' NOT NULL, 
	run_name TEXT DEFAULT '' NOT NULL, 
	start INTEGER NOT NULL, 
	stop INTEGER NOT NULL, 
	folder TEXT NOT NULL, 
	shape TEXT NOT NULL, 
	flops FLOAT NOT NULL, 
	seconds FLOAT NOT NULL, 
	state TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(study) REFERENCES studies (number), 
	FOREIGN KEY(trunk) REFERENCES trunks (number), 
	FOREIGN KEY(run) REFERENCES runs (number)
);
INSERT INTO "jobs" VALUES('0b56c521d4fc-0-16','pico-60 trunk 0 to 16',1,1,NULL,'trunk','pico-60',0,16,'/home/scalectl/study/artifacts/trunks/0b56c521d4fc/16','8x1x32h2p4-map-sigmoid-adafactor-float32-8-10-b16',10042368.0,0.0005021184,'done');
INSERT INTO "jobs" VALUES('0b56c521d4fc-16-32','pico-60 trunk 16 to 32',1,1,NULL,'trunk','pico-60',16,32,'/home/scalectl/study/artifacts/trunks/0b56c521d4fc/32','8x1x32h2p4-map-sigmoid-adafactor-float32-8-10-b16',10042368.0,0.0005021184,'done');
INSERT INTO "jobs" VALUES('e4290c2e2b7c','pico-60-20 cooldown',1,1,1,'cooldown','pico-60-20',16,20,'/home/scalectl/study/artifacts/runs/e4290c2e2b7c','8x1x32h2p4-map-sigmoid-adafactor-float32-8-10-b16',2510592.0,0.0001255296,'done');
INSERT INTO "jobs" VALUES('af69fe7c5d8f','pico-60-40 cooldown',1,1,2,'cooldown','pico-60-40',32,40,'/home/scalectl/study/artifacts/runs/af69fe7c5d8f','8x1x32h2p4-map-sigmoid-adafactor-float32-8-10-b16',5021184.0,0.0002510592,'done');
CREATE TABLE launches (
	launch INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	seconds_left FLOAT, 
	PRIMARY KEY (launch)
);
INSERT INTO "launches" VALUES(1,'2026-11-29 11:49:31.554317',0.0);
CREATE TABLE ledger (
	launch INTEGER NOT NULL, 
	slot TEXT NOT NULL, 
	started DATETIME NOT NULL, 
	seconds FLOAT NOT NULL, 
	acquire_seconds FLOAT NOT NULL, 
	compile_seconds FLOAT NOT NULL, 
	step_seconds FLOAT NOT NULL, 
	evaluate_seconds FLOAT NOT NULL, 
	checkpoint_seconds FLOAT NOT NULL, 
	lost_seconds FLOAT NOT NULL, 
	idle_seconds FLOAT NOT NULL, 
	PRIMARY KEY (launch, slot)
);
INSERT INTO "ledger" VALUES(1,'here','2026-11-29 11:49:17.303033',14.25,2.0,1.5,9.0,1.0,0.5,0.0,0.25);
CREATE TABLE measurements (
	run INTEGER NOT NULL, 
	metric INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	value FLOAT, 
	settings TEXT DEFAULT '' NOT NULL, 
	test_images INTEGER, 
	PRIMARY KEY (run, metric, step), 
	FOREIGN KEY(run) REFERENCES runs (number), 
	FOREIGN KEY(metric) REFERENCES metrics (id)
)
 WITHOUT ROWID

;
INSERT INTO "measurements" VALUES(1,1,20,0.25,'{}',360);
INSERT INTO "measurements" VALUES(1,2,20,0.25,'{}',360);
INSERT INTO "measurements" VALUES(1,3,20,0.25,'{"l2":1024.0,"seeds":2}',360);
INSERT INTO "measurements" VALUES(2,1,40,0.25,'{}',360);
INSERT INTO "measurements" VALUES(2,2,40,0.25,'{}',360);
INSERT INTO "measurements" VALUES(2,3,40,0.25,'{"l2":1024.0,"seeds":2}',360);
CREATE TABLE members (
	study INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	PRIMARY KEY (study, run), 
	FOREIGN KEY(study) REFERENCES studies (number), 
	FOREIGN KEY(run) REFERENCES runs (number)
)
 WITHOUT ROWID

;
INSERT INTO "members" VALUES(1,1);
INSERT INTO "members" VALUES(1,2);
CREATE TABLE metrics (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "metrics" VALUES(1,'upstream/loss');
INSERT INTO "metrics" VALUES(2,'upstream/error');
INSERT INTO "metrics" VALUES(3,'fewshot/digits/1shot/error');
INSERT INTO "metrics" VALUES(4,'test_error');
CREATE TABLE progress (
	trunk INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	loss FLOAT, 
	learning_rate FLOAT, 
	grad_norm FLOAT, 
	images_seen INTEGER NOT NULL, 
	flops FLOAT NOT NULL, 
	device_seconds FLOAT, 
	images_per_second FLOAT, 
	flops_per_second FLOAT, 
	mfu FLOAT, 
	PRIMARY KEY (trunk, run, step), 
	FOREIGN KEY(trunk) REFERENCES trunks (number)
)
 WITHOUT ROWID

;
INSERT INTO "progress" VALUES(1,0,1,1.37,0.001,2.5,16,627648.0,0.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,2,0.87,0.001,2.5,32,1255296.0,0.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,3,7.03333333333333365899e-01,0.001,2.5,48,1882944.0,0.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,4,0.62,0.001,2.5,64,2510592.0,1.0,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,5,5.70000000000000062172e-01,0.001,2.5,80,3138240.0,1.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,6,5.36666666666666625218e-01,0.001,2.5,96,3765888.0,1.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,7,5.12857142857142900282e-01,0.001,2.5,112,4393536.0,1.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,8,0.495,0.001,2.5,128,5021184.0,2.0,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,9,4.81111111111111100502e-01,0.001,2.5,144,5648832.0,2.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,10,0.47,0.001,2.5,160,6276480.0,2.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,11,4.60909090909090934928e-01,0.001,2.5,176,6904128.0,2.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,12,4.53333333333333310388e-01,0.001,2.5,192,7531776.0,3.0,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,13,4.46923076923076922906e-01,0.001,2.5,208,8159424.0,3.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,14,4.41428571428571392409e-01,0.001,2.5,224,8787072.0,3.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,15,4.36666666666666647422e-01,0.001,2.5,240,9414720.0,3.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,16,0.4325,0.001,2.5,256,10042368.0,4.0,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,17,4.28823529411764714502e-01,0.001,2.5,272,10670016.0,4.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,18,4.25555555555555575786e-01,0.001,2.5,288,11297664.0,4.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,19,4.2263157894736841369e-01,0.001,2.5,304,11925312.0,4.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,20,0.42,0.001,2.5,320,12552960.0,5.0,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,21,4.17619047619047611963e-01,0.001,2.5,336,13180608.0,5.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,22,4.15454545454545465243e-01,0.001,2.5,352,13808256.0,5.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,23,4.13478260869565183988e-01,0.001,2.5,368,14435904.0,5.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,24,4.11666666666666680729e-01,0.001,2.5,384,15063552.0,6.0,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,25,0.41,0.001,2.5,400,15691200.0,6.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,26,4.08461538461538431477e-01,0.001,2.5,416,16318848.0,6.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,27,4.0703703703703703054e-01,0.001,2.5,432,16946496.0,6.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,28,4.05714285714285693984e-01,0.001,2.5,448,17574144.0,7.0,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,29,4.0448275862068966413e-01,0.001,2.5,464,18201792.0,7.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,30,4.0333333333333332149e-01,0.001,2.5,480,18829440.0,7.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,31,0.402258064516129,0.001,2.5,496,19457088.0,7.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,0,32,0.40125,0.001,2.5,512,20084736.0,8.0,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,1,17,4.28823529411764714502e-01,0.001,2.5,272,10670016.0,4.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,1,18,4.25555555555555575786e-01,0.001,2.5,288,11297664.0,4.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,1,19,4.2263157894736841369e-01,0.001,2.5,304,11925312.0,4.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,1,20,0.42,0.001,2.5,320,12552960.0,5.0,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,2,33,4.00303030303030271674e-01,0.001,2.5,528,20712384.0,8.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,2,34,3.99411764705882355031e-01,0.001,2.5,544,21340032.0,8.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,2,35,3.98571428571428576503e-01,0.001,2.5,560,21967680.0,8.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,2,36,3.97777777777777785672e-01,0.001,2.5,576,22595328.0,9.0,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,2,37,0.397027027027027,0.001,2.5,592,23222976.0,9.25,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,2,38,3.96315789473684176869e-01,0.001,2.5,608,23850624.0,9.5,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,2,39,3.95641025641025656511e-01,0.001,2.5,624,24478272.0,9.75,64.0,3700000000.0,0.37);
INSERT INTO "progress" VALUES(1,2,40,0.395,0.001,2.5,640,25105920.0,10.0,64.0,3700000000.0,0.37);
CREATE TABLE runs (
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	study INTEGER NOT NULL, 
	trunk INTEGER NOT NULL, 
	listed BOOLEAN NOT NULL, 
	state TEXT NOT NULL, 
	kind TEXT DEFAULT '' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	excluded BOOLEAN DEFAULT '0' NOT NULL, 
	model TEXT NOT NULL, 
	width INTEGER NOT NULL, 
	depth INTEGER NOT NULL, 
	mlp_dim INTEGER NOT NULL, 
	num_heads INTEGER NOT NULL, 
	patch_size INTEGER NOT NULL, 
	head TEXT NOT NULL, 
	params INTEGER NOT NULL, 
	flops_per_image INTEGER NOT NULL, 
	data_name TEXT DEFAULT '' NOT NULL, 
	source TEXT NOT NULL, 
	data_size INTEGER NOT NULL, 
	held_out INTEGER NOT NULL, 
	subset_seed INTEGER NOT NULL, 
	shift INTEGER NOT NULL, 
	image_size INTEGER NOT NULL, 
	channels INTEGER NOT NULL, 
	num_classes INTEGER NOT NULL, 
	stratified BOOLEAN DEFAULT '0' NOT NULL, 
	crop BOOLEAN DEFAULT '0' NOT NULL, 
	flip BOOLEAN DEFAULT '0' NOT NULL, 
	resize INTEGER DEFAULT '0' NOT NULL, 
	content TEXT DEFAULT '' NOT NULL, 
	test_content TEXT DEFAULT '' NOT NULL, 
	orientation TEXT DEFAULT 'kept' NOT NULL, 
	background TEXT DEFAULT 'none' NOT NULL, 
	levels TEXT DEFAULT 'cut' NOT NULL, 
	black FLOAT DEFAULT '0.0' NOT NULL, 
	white FLOAT DEFAULT '0.0' NOT NULL, 
	batch_size INTEGER NOT NULL, 
	precision TEXT NOT NULL, 
	positions TEXT DEFAULT 'learned' NOT NULL, 
	layers TEXT DEFAULT 'loop' NOT NULL, 
	remat TEXT DEFAULT 'none' NOT NULL, 
	microbatch INTEGER DEFAULT '0' NOT NULL, 
	head_bias FLOAT NOT NULL, 
	loss TEXT NOT NULL, 
	optimizer TEXT NOT NULL, 
	lr FLOAT NOT NULL, 
	clip_norm FLOAT NOT NULL, 
	weight_decay_head FLOAT NOT NULL, 
	weight_decay_body FLOAT NOT NULL, 
	schedule TEXT NOT NULL, 
	warmup INTEGER NOT NULL, 
	timescale INTEGER NOT NULL, 
	seed INTEGER NOT NULL, 
	steps INTEGER NOT NULL, 
	cooldown INTEGER NOT NULL, 
	images_seen INTEGER NOT NULL, 
	flops FLOAT NOT NULL, 
	marginal_flops FLOAT NOT NULL, 
	devices INTEGER DEFAULT '1' NOT NULL, 
	device_seconds FLOAT, 
	core_days FLOAT GENERATED ALWAYS AS (device_seconds * devices / 86400.0) VIRTUAL, 
	images_per_second FLOAT GENERATED ALWAYS AS (images_seen / device_seconds) VIRTUAL, 
	flops_per_second FLOAT GENERATED ALWAYS AS (flops / device_seconds) VIRTUAL, 
	mfu FLOAT, 
	digest TEXT DEFAULT '' NOT NULL, 
	spec TEXT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (id), 
	FOREIGN KEY(study) REFERENCES studies (number), 
	FOREIGN KEY(trunk) REFERENCES trunks (number)
);
INSERT INTO "runs" VALUES(1,'e4290c2e2b7c','pico-60-20',1,1,1,'done','','',0,'pico',8,1,32,2,4,'map',2010,13076,'digits','digits',60,360,0,1,8,1,10,0,0,0,0,'','','kept','none','cut',0.0,0.0,16,'float32','learned','loop','none',0,-2.30258509299404590109e+00,'sigmoid','adafactor',0.003,1.0,3.0,0.03,'rsqrt',4,10,0,20,4,320,12552960.0,12552960.0,1,5.0,0.37,'0000000000000000000000000000000000000000000000000000000000000014','{"cooldown":4,"steps":20,"trunk":{"data":{"background":"none","black":0.0,"channels":1,"content":"","crop":false,"flip":false,"held_out":360,"image_size":8,"left_open":[],"levels":"cut","max_pixels":100000000,"name":"digits","num_classes":10,"orientation":"kept","path":"","resize":0,"selection":{"classes":[],"image":"","label":"","labels":"","purpose":"train"},"shift":1,"size":60,"source":"digits","stratified":false,"subset_seed":0,"test_content":"","test_path":"","test_selection":{"classes":[],"image":"","label":"","labels":"","purpose":"test"},"white":0.0},"model":{"depth":1,"mlp_dim":32,"num_heads":2,"patch_size":4,"width":8},"recipe":{"batch_size":16,"clip_norm":1.0,"head":"map","head_bias":-2.302585092994046,"layers":"loop","loss":"sigmoid","lr":0.003,"microbatch":0,"optimizer":"adafactor","positions":"learned","precision":"float32","remat":"none","schedule":"rsqrt","timescale":10,"warmup":4,"weight_decay_body":0.03,"weight_decay_head":3.0},"seed":0}}');
INSERT INTO "runs" VALUES(2,'af69fe7c5d8f','pico-60-40',1,1,1,'done','','',0,'pico',8,1,32,2,4,'map',2010,13076,'digits','digits',60,360,0,1,8,1,10,0,0,0,0,'','','kept','none','cut',0.0,0.0,16,'float32','learned','loop','none',0,-2.30258509299404590109e+00,'sigmoid','adafactor',0.003,1.0,3.0,0.03,'rsqrt',4,10,0,40,8,640,25105920.0,15063552.0,1,10.0,0.37,'0000000000000000000000000000000000000000000000000000000000000028','{"cooldown":8,"steps":40,"trunk":{"data":{"background":"none","black":0.0,"channels":1,"content":"","crop":false,"flip":false,"held_out":360,"image_size":8,"left_open":[],"levels":"cut","max_pixels":100000000,"name":"digits","num_classes":10,"orientation":"kept","path":"","resize":0,"selection":{"classes":[],"image":"","label":"","labels":"","purpose":"train"},"shift":1,"size":60,"source":"digits","stratified":false,"subset_seed":0,"test_content":"","test_path":"","test_selection":{"classes":[],"image":"","label":"","labels":"","purpose":"test"},"white":0.0},"model":{"depth":1,"mlp_dim":32,"num_heads":2,"patch_size":4,"width":8},"recipe":{"batch_size":16,"clip_norm":1.0,"head":"map","head_bias":-2.302585092994046,"layers":"loop","loss":"sigmoid","lr":0.003,"microbatch":0,"optimizer":"adafactor","positions":"learned","precision":"float32","remat":"none","schedule":"rsqrt","timescale":10,"warmup":4,"weight_decay_body":0.03,"weight_decay_head":3.0},"seed":0}}');
CREATE TABLE studies (
	number INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	planned DATETIME NOT NULL, 
	document TEXT NOT NULL, 
	fits TEXT DEFAULT '{}' NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (name)
);
INSERT INTO "studies" VALUES(1,'small','2026-11-29 11:49:31.277881','version: 1
name: small
store: results.db
artifacts: ./artifacts
models:
  pico: {width: 8, depth: 1, num_heads: 2, patch_size: 4}
data:
  source: digits
  sizes: [60]
  augment: {shift: 1}
train:
  batch_size: 16
  precision: float32
  head: map
  loss: sigmoid
  optimizer: {name: adafactor, lr: 3e-3, clip_norm: 1.0, weight_decay: {head: 3.0, body: 0.03}}
  schedule: {name: rsqrt, warmup: 4, timescale: 10, cooldown: 20%}
  checkpoint_every: 1000
budgets: {steps: [20, 40]}
grid: {seeds: [0]}
evals:
  upstream: {metrics: [loss, error]}
  fewshot: {datasets: [digits], shots: [1], seeds: 2}
','{}');
CREATE TABLE trunks (
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	spec TEXT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "trunks" VALUES(1,'0b56c521d4fc','{"data":{"background":"none","black":0.0,"channels":1,"content":"","crop":false,"flip":false,"held_out":360,"image_size":8,"left_open":[],"levels":"cut","max_pixels":100000000,"name":"digits","num_classes":10,"orientation":"kept","path":"","resize":0,"selection":{"classes":[],"image":"","label":"","labels":"","purpose":"train"},"shift":1,"size":60,"source":"digits","stratified":false,"subset_seed":0,"test_content":"","test_path":"","test_selection":{"classes":[],"image":"","label":"","labels":"","purpose":"test"},"white":0.0},"model":{"depth":1,"mlp_dim":32,"num_heads":2,"patch_size":4,"width":8},"recipe":{"batch_size":16,"clip_norm":1.0,"head":"map","head_bias":-2.302585092994046,"layers":"loop","loss":"sigmoid","lr":0.003,"microbatch":0,"optimizer":"adafactor","positions":"learned","precision":"float32","remat":"none","schedule":"rsqrt","timescale":10,"warmup":4,"weight_decay_body":0.03,"weight_decay_head":3.0},"seed":0}');
CREATE INDEX ix_runs_trunk ON runs (trunk);
CREATE INDEX ix_runs_study ON runs (study);
CREATE INDEX ix_members_run ON members (run);
CREATE INDEX ix_attempts_job ON attempts (job);
CREATE INDEX ix_checkpoints_job ON checkpoints (job);
CREATE INDEX ix_checkpoints_trunk ON checkpoints (trunk);
CREATE VIEW points AS SELECT runs.id AS run, runs.name, studies.name AS study, runs.state, runs.excluded, (SELECT imports.origin 
FROM imports 
WHERE 0 = 1) AS origin, runs.model, runs.width, runs.depth, runs.mlp_dim, runs.num_heads, runs.patch_size, runs.head, runs.params, runs.flops_per_image, runs.data_name, runs.source, runs.data_size, runs.held_out, runs.subset_seed, runs.shift, runs.image_size, runs.channels, runs.num_classes, runs.stratified, runs.crop, runs.flip, runs.resize, runs.content, runs.test_content, runs.orientation, runs.background, runs.levels, runs.black, runs.white, runs.batch_size, runs.precision, runs.positions, runs.layers, runs.remat, runs.microbatch, runs.head_bias, runs.loss, runs.optimizer, runs.lr, runs.clip_norm, runs.weight_decay_head, runs.weight_decay_body, runs.schedule, runs.warmup, runs.timescale, runs.seed, runs.steps, runs.cooldown, runs.images_seen, runs.flops, runs.marginal_flops, runs.device_seconds, runs.core_days, runs.images_per_second, runs.flops_per_second, runs.mfu, (SELECT measurements.test_images 
FROM metrics JOIN measurements ON measurements.run = runs.number AND measurements.metric = metrics.id AND measurements.step = runs.steps GROUP BY measurements.run 
HAVING min(measurements.test_images) = max(measurements.test_images) AND count(measurements.test_images) = count(*)) AS test_images, runs.digest, (SELECT measurements.value 
FROM measurements 
WHERE measurements.run = runs.number AND measurements.metric = 1 AND measurements.step = runs.steps) AS "upstream/loss", (SELECT measurements.value 
FROM measurements 
WHERE measurements.run = runs.number AND measurements.metric = 2 AND measurements.step = runs.steps) AS "upstream/error", (SELECT measurements.value 
FROM measurements 
WHERE measurements.run = runs.number AND measurements.metric = 3 AND measurements.step = runs.steps) AS "fewshot/digits/1shot/error", (SELECT measurements.value 
FROM measurements 
WHERE measurements.run = runs.number AND measurements.metric = 4 AND measurements.step = runs.steps) AS test_error 
FROM runs JOIN studies ON studies.number = runs.study UNION ALL SELECT imports.id AS run, imports.name, imports.study, 'done' AS state, imports.excluded, imports.origin, imports.model, imports.width, imports.depth, imports.mlp_dim, imports.num_heads, imports.patch_size, imports.head, imports.params, imports.flops_per_image, imports.data_name, imports.source, imports.data_size, imports.held_out, imports.subset_seed, imports.shift, imports.image_size, imports.channels, imports.num_classes, imports.stratified, imports.crop, imports.flip, imports.resize, imports.content, imports.test_content, imports.orientation, imports.background, imports.levels, imports.black, imports.white, imports.batch_size, imports.precision, imports.positions, imports.layers, imports.remat, imports.microbatch, imports.head_bias, imports.loss, imports.optimizer, imports.lr, imports.clip_norm, imports.weight_decay_head, imports.weight_decay_body, imports.schedule, imports.warmup, imports.timescale, imports.seed, imports.steps, imports.cooldown, imports.images_seen, imports.flops, imports.marginal_flops, imports.device_seconds, imports.core_days, NULL AS images_per_second, NULL AS flops_per_second, NULL AS mfu, (SELECT imported.test_images 
FROM metrics JOIN imported ON imported.run = imports.number AND imported.metric = metrics.id GROUP BY imported.run 
HAVING min(imported.test_images) = max(imported.test_images) AND count(imported.test_images) = count(*)) AS test_images, NULL AS digest, (SELECT imported.value 
FROM imported 
WHERE imported.run = imports.number AND imported.metric = 1) AS "upstream/loss", (SELECT imported.value 
FROM imported 
WHERE imported.run = imports.number AND imported.metric = 2) AS "upstream/error", (SELECT imported.value 
FROM imported 
WHERE imported.run = imports.number AND imported.metric = 3) AS "fewshot/digits/1shot/error", (SELECT imported.value 
FROM imported 
WHERE imported.run = imports.number AND imported.metric = 4) AS test_error 
FROM imports;
CREATE VIEW columns AS SELECT 'run' AS name, 'run' AS role UNION ALL SELECT 'name' AS name, 'run' AS role UNION ALL SELECT 'study' AS name, 'run' AS role UNION ALL SELECT 'state' AS name, 'run' AS role UNION ALL SELECT 'excluded' AS name, 'run' AS role UNION ALL SELECT 'steps' AS name, 'run' AS role UNION ALL SELECT 'cooldown' AS name, 'run' AS role UNION ALL SELECT 'images_seen' AS name, 'run' AS role UNION ALL SELECT 'flops' AS name, 'run' AS role UNION ALL SELECT 'marginal_flops' AS name, 'run' AS role UNION ALL SELECT 'device_seconds' AS name, 'run' AS role UNION ALL SELECT 'core_days' AS name, 'run' AS role UNION ALL SELECT 'images_per_second' AS name, 'run' AS role UNION ALL SELECT 'flops_per_second' AS name, 'run' AS role UNION ALL SELECT 'mfu' AS name, 'run' AS role UNION ALL SELECT 'test_images' AS name, 'run' AS role UNION ALL SELECT 'digest' AS name, 'run' AS role UNION ALL SELECT 'origin' AS name, 'trunk' AS role UNION ALL SELECT 'model' AS name, 'trunk' AS role UNION ALL SELECT 'width' AS name, 'trunk' AS role UNION ALL SELECT 'depth' AS name, 'trunk' AS role UNION ALL SELECT 'mlp_dim' AS name, 'trunk' AS role UNION ALL SELECT 'num_heads' AS name, 'trunk' AS role UNION ALL SELECT 'patch_size' AS name, 'trunk' AS role UNION ALL SELECT 'head' AS name, 'trunk' AS role UNION ALL SELECT 'params' AS name, 'trunk' AS role UNION ALL SELECT 'flops_per_image' AS name, 'trunk' AS role UNION ALL SELECT 'data_name' AS name, 'trunk' AS role UNION ALL SELECT 'source' AS name, 'trunk' AS role UNION ALL SELECT 'data_size' AS name, 'trunk' AS role UNION ALL SELECT 'held_out' AS name, 'trunk' AS role UNION ALL SELECT 'subset_seed' AS name, 'trunk' AS role UNION ALL SELECT 'shift' AS name, 'trunk' AS role UNION ALL SELECT 'image_size' AS name, 'trunk' AS role UNION ALL SELECT 'channels' AS name, 'trunk' AS role UNION ALL SELECT 'num_classes' AS name, 'trunk' AS role UNION ALL SELECT 'stratified' AS name, 'trunk' AS role UNION ALL SELECT 'crop' AS name, 'trunk' AS role UNION ALL SELECT 'flip' AS name, 'trunk' AS role UNION ALL SELECT 'resize' AS name, 'trunk' AS role UNION ALL SELECT 'content' AS name, 'trunk' AS role UNION ALL SELECT 'test_content' AS name, 'trunk' AS role UNION ALL SELECT 'orientation' AS name, 'trunk' AS role UNION ALL SELECT 'background' AS name, 'trunk' AS role UNION ALL SELECT 'levels' AS name, 'trunk' AS role UNION ALL SELECT 'black' AS name, 'trunk' AS role UNION ALL SELECT 'white' AS name, 'trunk' AS role UNION ALL SELECT 'batch_size' AS name, 'trunk' AS role UNION ALL SELECT 'precision' AS name, 'trunk' AS role UNION ALL SELECT 'positions' AS name, 'trunk' AS role UNION ALL SELECT 'layers' AS name, 'trunk' AS role UNION ALL SELECT 'remat' AS name, 'trunk' AS role UNION ALL SELECT 'microbatch' AS name, 'trunk' AS role UNION ALL SELECT 'head_bias' AS name, 'trunk' AS role UNION ALL SELECT 'loss' AS name, 'trunk' AS role UNION ALL SELECT 'optimizer' AS name, 'trunk' AS role UNION ALL SELECT 'lr' AS name, 'trunk' AS role UNION ALL SELECT 'clip_norm' AS name, 'trunk' AS role UNION ALL SELECT 'weight_decay_head' AS name, 'trunk' AS role UNION ALL SELECT 'weight_decay_body' AS name, 'trunk' AS role UNION ALL SELECT 'schedule' AS name, 'trunk' AS role UNION ALL SELECT 'warmup' AS name, 'trunk' AS role UNION ALL SELECT 'timescale' AS name, 'trunk' AS role UNION ALL SELECT 'seed' AS name, 'trunk' AS role UNION ALL SELECT metrics.name, 'metric' AS role 
FROM metrics;
CREATE VIEW curves AS SELECT runs.id AS run, progress.step, progress.loss, progress.learning_rate, progress.grad_norm, progress.images_seen, progress.flops, progress.device_seconds, progress.images_per_second, progress.flops_per_second, progress.mfu 
FROM runs JOIN progress ON progress.trunk = runs.trunk AND progress.run = 0 AND progress.step <= runs.steps - runs.cooldown UNION ALL SELECT runs.id AS run, progress.step, progress.loss, progress.learning_rate, progress.grad_norm, progress.images_seen, progress.flops, progress.device_seconds, progress.images_per_second, progress.flops_per_second, progress.mfu 
FROM runs JOIN progress ON progress.trunk = runs.trunk AND progress.run = runs.number;
CREATE VIEW observations AS SELECT runs.id AS run, runs.name, studies.name AS study, runs.state, runs.excluded, (SELECT imports.origin 
FROM imports 
WHERE 0 = 1) AS origin, runs.model, runs.data_size, runs.steps, runs.seed, runs.images_seen, runs.flops, metrics.name AS metric, measurements.step, measurements.value, measurements.test_images, measurements.settings 
FROM runs JOIN studies ON studies.number = runs.study JOIN measurements ON measurements.run = runs.number JOIN metrics ON metrics.id = measurements.metric UNION ALL SELECT imports.id AS run, imports.name, imports.study, 'done' AS state, imports.excluded, imports.origin, imports.model, imports.data_size, imports.steps, imports.seed, imports.images_seen, imports.flops, metrics.name AS metric, imports.steps AS step, imported.value, imported.test_images, '' AS settings 
FROM imports JOIN imported ON imported.run = imports.number JOIN metrics ON metrics.id = imported.metric;
COMMIT;
