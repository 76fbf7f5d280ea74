ALLOWED_HOSTS = ["*"]
DEBUG = False
ROOT_URLCONF = "site_of_shop.urls"
SECRET_KEY = "only an example"
